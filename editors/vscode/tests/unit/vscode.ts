// The part of VS Code's API that the tested files use, in memory. What the
// editor would show is a function that a test replaces.
import { vi } from 'vitest';

export class EventEmitter<T> {
  private readonly listeners = new Set<(x: T) => void>();
  readonly event = (listener: (x: T) => void) => {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  };
  fire(x: T): void {
    for (const listener of [...this.listeners]) listener(x);
  }
}

export class CancellationTokenSource {
  private readonly cancelled = new EventEmitter<void>();
  readonly token = { isCancellationRequested: false, onCancellationRequested: this.cancelled.event };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.cancelled.fire();
  }
  dispose(): void {}
}

export class CancellationError extends Error {}

export class ThemeColor {
  constructor(readonly id: string) {}
}
export class ThemeIcon {
  constructor(
    readonly id: string,
    readonly color?: ThemeColor,
  ) {}
}
export const QuickPickItemKind = { Separator: -1 };

export const LogLevel = { Off: 0 };
export const Uri = { joinPath: (base: string, ...parts: string[]) => [base, ...parts].join('/') };
export const commands = { executeCommand: vi.fn(async () => undefined) };
export const window = {
  showWarningMessage: vi.fn(),
  showQuickPick: vi.fn(async (items: unknown[]): Promise<unknown> => items[0]),
  registerWebviewViewProvider: () => ({ dispose() {} }),
};
