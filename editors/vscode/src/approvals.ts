// Puts plans before the person. The server opens each question; what is high or
// critical is confirmed in a dialog of VS Code's own, with the server's words,
// whatever the chat panel says. Closing, a time-out or an error approves nothing.
import * as vscode from 'vscode';
import { type Client, words } from './client';
import { Card, Decided, type Execution } from './protocol';

/** The answer to a card. */
export interface Answer {
  title: string;
  digest: string;
}

/** A place that can show a card, such as the chat panel. */
export interface Surface {
  /** Whether it can show this card now. */
  takes(card: Card): boolean;
  /** Resolves to run, or to reject with a reason, or to nothing when it was closed. */
  ask(card: Card, token: vscode.CancellationToken): Promise<{ run: boolean; reason: string } | undefined>;
}

export class Approvals {
  private surface: Surface | undefined;
  private readonly decided = new vscode.EventEmitter<Execution>();
  /** Fires with what became of a plan. */
  readonly onDecided = this.decided.event;

  constructor(private readonly client: Client) {
    client.onRequest('cloudops/prompt', Card, (card, token) => this.answer(card, token));
  }

  /** Shows cards here where it can. */
  use(surface: Surface): void {
    this.surface = surface;
  }

  /** Has the server put a plan before the person; the execution is what became of it. */
  async decide(plan: string): Promise<Execution> {
    const { execution } = await this.client.request('cloudops/execution/decide', { plan, decision: 'ask' }, Decided);
    this.decided.fire(execution);
    return execution;
  }

  private async answer(card: Card, token: vscode.CancellationToken): Promise<Answer> {
    const none: Answer = { title: '', digest: card.digest };
    const expired = new vscode.CancellationTokenSource();
    const timer = setTimeout(() => expired.cancel(), Math.max(0, card.expires_ms - Date.now()));
    const taken = token.onCancellationRequested(() => expired.cancel());
    try {
      if (this.surface?.takes(card)) {
        const answer = await this.surface.ask(card, expired.token);
        if (answer === undefined || expired.token.isCancellationRequested) return none;
        if (!answer.run) {
          await this.reject(card, answer.reason);
          return { title: card.reject, digest: card.digest };
        }
        if (!card.grave) return { title: card.run, digest: card.digest };
      }
      const choice = await this.dialog(card);
      if (choice === undefined || expired.token.isCancellationRequested) return none;
      return { title: choice, digest: card.digest };
    } finally {
      clearTimeout(timer);
      taken.dispose();
      expired.dispose();
    }
  }

  private async dialog(card: Card): Promise<string | undefined> {
    if (card.grave) {
      return vscode.window.showWarningMessage(card.title, { modal: true, detail: card.dialog }, card.run);
    }
    return vscode.window.showWarningMessage(card.message, card.reject, card.run);
  }

  /** A reason is kept with the rejection, which then has been made. */
  private async reject(card: Card, reason: string): Promise<void> {
    if (reason === '') return;
    try {
      const params = { plan: card.plan, decision: 'reject', reason };
      const { execution } = await this.client.request('cloudops/execution/decide', params, Decided);
      this.decided.fire(execution);
    } catch (e) {
      this.client.output.warn(`rejecting with a reason: ${words(e)}`);
    }
  }
}
