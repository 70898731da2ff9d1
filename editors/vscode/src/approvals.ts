// Puts plans before the person. The server opens each question; what is high or
// critical is confirmed in a dialog of VS Code's own, with the server's words,
// whatever the chat panel says. Closing approves nothing. Where the person could
// not answer, such as when the window is loaded anew, the answer is an error, which
// decides nothing: the plan goes on waiting.
// Rejecting comes first in each, so that a stray Enter does not run anything.
import * as vscode from 'vscode';
import type { Client } from './client';
import { type Card, type Execution, executionDecide, prompt } from './protocol.gen';

/** The answer to a card. */
export interface Answer {
  title: string;
  digest: string;
  reason?: string;
}

const showCard = 'Show Card';

/** A place that can show a card, such as the chat panel. */
export interface Surface {
  /** Whether the person looks at where this card belongs. */
  takes(card: Card): boolean;
  /** Brings a conversation before the person; "" for what is of none. */
  reveal(conversation: string): Promise<void>;
  /** Resolves to run, or to reject with a reason, or to nothing when it was closed. */
  ask(card: Card, token: vscode.CancellationToken): Promise<{ run: boolean; reason: string } | undefined>;
}

export class Approvals {
  private surface: Surface | undefined;
  /** Plans that the person wants to see as cards. */
  private readonly asCards = new Set<string>();
  /** Plans that the person is asked about. */
  private readonly asked = new Map<string, Promise<Execution>>();
  private readonly decided = new vscode.EventEmitter<Execution>();
  /** Fires with what became of a plan. */
  readonly onDecided = this.decided.event;

  constructor(private readonly client: Client) {
    client.onRequest(prompt, (card, token) => this.answer(card, token));
  }

  /** Shows cards here where it can. */
  use(surface: Surface): void {
    this.surface = surface;
  }

  /** Has the server put a plan before the person, once at a time; the execution is what became of it. */
  decide(plan: string): Promise<Execution> {
    const asked = this.asked.get(plan);
    if (asked !== undefined) return asked;
    const asking = this.ask(plan).finally(() => this.asked.delete(plan));
    this.asked.set(plan, asking);
    return asking;
  }

  private async ask(plan: string): Promise<Execution> {
    const { execution } = await this.client.request(executionDecide, { plan, decision: 'ask' });
    this.decided.fire(execution);
    return execution;
  }

  /** As decide, on a card in its conversation. */
  async review(plan: string, conversation: string): Promise<Execution> {
    this.asCards.add(plan);
    try {
      await this.surface?.reveal(conversation);
      return await this.decide(plan);
    } finally {
      this.asCards.delete(plan);
    }
  }

  private async answer(card: Card, token: vscode.CancellationToken): Promise<Answer> {
    let choice: string | undefined = showCard;
    if (!this.asCards.has(card.plan) && !this.surface?.takes(card)) {
      choice = await this.dialog(card);
      if (choice === showCard) await this.surface?.reveal(card.conversation_id);
    }
    let reason = '';
    if (choice === showCard) {
      const answer = await this.surface?.ask(card, token);
      if (answer === undefined) throw new Error('the question was taken back');
      reason = answer.reason;
      if (!answer.run) choice = card.reject;
      else choice = card.grave ? await this.dialog(card) : card.run;
    }
    if (token.isCancellationRequested) throw new Error('the question was taken back');
    return { title: choice ?? '', digest: card.digest, ...(reason === '' ? {} : { reason }) };
  }

  private async dialog(card: Card): Promise<string | undefined> {
    if (card.grave) {
      return vscode.window.showWarningMessage(card.title, { modal: true, detail: card.dialog }, card.reject, card.run);
    }
    return vscode.window.showWarningMessage(card.message, card.reject, card.run, showCard);
  }
}
