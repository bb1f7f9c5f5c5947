/** What happened, said where it is seen and read out, never in a window of its own. */
import { sentence } from './client.js';
import { fill, h, prose } from './dom.js';

export class Say {
  readonly node = h('p', { class: 'authz-say', role: 'status', 'aria-live': 'polite' });

  done(text: string): void {
    this.put(text, 'done');
  }

  failed(error: unknown): void {
    this.put(typeof error === 'string' ? error : sentence(error), 'failed');
  }

  clear(): void {
    fill(this.node);
    this.node.removeAttribute('data-kind');
  }

  /** Do `act`; say why where it fails, and whether it did. */
  async trying(act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  private put(text: string, kind: string): void {
    this.node.setAttribute('data-kind', kind);
    fill(this.node, ...prose(text));
  }
}
