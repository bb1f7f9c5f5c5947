/** A close that the server means for good: JupyterLab keeps what is sent after it for a connection
 * that does not come, and a cell seems to run for ever. */
import type { Kernel, ServerConnection } from '@jupyterlab/services';
import { refusedBecause } from '../me.js';
import type { Standings } from '../me.js';
import { comesBack, FINAL } from '../unanswered.js';
import { Waiting } from './waiting.js';

const CHANNELS = /\/api\/kernels\/[^/?]+\/channels\?session_id=([^&]+)/;

/** Tells a person a sentence of the server; the answer takes it back. */
type Tell = (why: string) => () => void;

/** A connection that the server has closed for good. */
interface Closed {
  why: string;
  /** Takes back what the person was told, the same for all that were closed for the same reason. */
  dismiss: () => void;
  /** Whether it is about to connect again. */
  returns: boolean;
}

export class Closes {
  private readonly reasons = new Map<string, string>();
  private readonly closed = new Map<Kernel.IKernelConnection, Closed>();
  private readonly listeners = new Set<(kernelId: string) => void>();

  constructor(
    private readonly standings: Standings,
    private readonly tell: Tell
  ) {}

  /** Have `listener` called with a kernel that I may watch again and that its document has no
   * more; the answer takes it back. */
  onBack(listener: (kernelId: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Heed how each connection to a kernel ends that is made from now on. */
  listen(kernels: Pick<Kernel.IManager, 'connectTo' | 'serverSettings'>): void {
    const { serverSettings: settings } = kernels;
    const { reasons } = this;
    // why: upstream's type is read-only, its object is not
    (settings as { WebSocket: ServerConnection.ISettings['WebSocket'] }).WebSocket =
      class extends settings.WebSocket {
        constructor(url: string | URL, protocols?: string | string[]) {
          super(url, protocols);
          const client = CHANNELS.exec(String(url))?.[1];
          // Before upstream's own, which says nothing of the reason.
          this.addEventListener('close', event => {
            if (client !== undefined && event.code === FINAL && event.reason !== '') {
              reasons.set(decodeURIComponent(client), event.reason);
            }
          });
        }
      };
    const connect = kernels.connectTo.bind(kernels);
    kernels.connectTo = (...asked) => {
      const made = connect(...asked);
      this.heed(made);
      return made;
    };
    this.standings.onChange(() => void this.comeBack());
  }

  private heed(kernel: Kernel.IKernelConnection): void {
    const waiting = new Waiting(kernel);
    kernel.connectionStatusChanged.connect((_, status) => {
      const why = this.reasons.get(kernel.clientId);
      this.reasons.delete(kernel.clientId);
      if (status === 'disconnected' && why !== undefined) {
        this.end(kernel, why);
        // The server has answered what it had; the rest came when it heard nothing any more.
        void waiting.end(why);
      } else if (status === 'connected') {
        this.again(kernel);
      }
    });
    const sent = (future: Parameters<Waiting['add']>[0]): void => {
      const closed = this.closed.get(kernel);
      waiting.add(future);
      if (closed) {
        void waiting.end(closed.why);
      }
    };
    const shell = kernel.sendShellMessage.bind(kernel);
    kernel.sendShellMessage = (...asked) => {
      const future = shell(...asked);
      sent(future);
      return future;
    };
    const control = kernel.sendControlMessage.bind(kernel);
    kernel.sendControlMessage = (...asked) => {
      const future = control(...asked);
      sent(future);
      return future;
    };
  }

  /** Have those connect again whose right was lost and is back. */
  private async comeBack(): Promise<void> {
    for (const [kernel, closed] of [...this.closed]) {
      const standing = comesBack(closed.why)
        ? await this.standings.of(`kernels:${kernel.id}`)
        : null;
      const isLeft = this.closed.get(kernel) === closed && !closed.returns;
      if (!standing || refusedBecause(standing, 'watch') !== null || !isLeft) {
        continue;
      }
      closed.returns = true;
      if (kernel.isDisposed) {
        // JupyterLab has dropped it with its session, which is listed for nobody who may not watch.
        this.again(kernel);
        for (const listener of [...this.listeners]) {
          listener(kernel.id);
        }
      } else {
        void kernel.reconnect().catch(() => {
          closed.returns = false;
        });
      }
    }
  }

  private end(kernel: Kernel.IKernelConnection, why: string): void {
    const told = [...this.closed.values()].find(each => each.why === why);
    this.closed.set(kernel, { why, dismiss: told?.dismiss ?? this.tell(why), returns: false });
    if (comesBack(why)) {
      // It may be back already, and nobody tells of it once more.
      this.standings.forget();
    }
  }

  private again(kernel: Kernel.IKernelConnection): void {
    const closed = this.closed.get(kernel);
    this.closed.delete(kernel);
    if (closed && ![...this.closed.values()].some(each => each.dismiss === closed.dismiss)) {
      closed.dismiss();
    }
  }
}
