/** A close that the server means for good: JupyterLab keeps what is run after it for a connection
 * that does not come, and the cell seems to run for ever. */
import { Notification } from '@jupyterlab/apputils';
import type { Kernel, ServerConnection } from '@jupyterlab/services';
import { refusedBecause } from '../me.js';
import type { Standings } from '../me.js';
import { FINAL } from '../unrun.js';
import { Unrun } from './unrun.js';

const CHANNELS = /\/api\/kernels\/[^/?]+\/channels\?session_id=([^&]+)/;

/** A connection that the server has closed for good. */
interface Closed {
  why: string;
  /** Of what tells it to the person; the same for all connections closed for the same reason. */
  notice: string;
  /** Whether I was seen to have lost the right since; whoever was sent away just so has not. */
  lost: boolean;
}

export class Closes {
  private readonly reasons = new Map<string, string>();
  private readonly closed = new Map<Kernel.IKernelConnection, Closed>();
  private readonly listeners = new Set<(kernelId: string) => void>();

  constructor(private readonly standings: Standings) {}

  /** Have `listener` called with a kernel that I may watch again and that its document has no
   * more; the answer takes it back. */
  onBack(listener: (kernelId: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Heed how each connection to a kernel ends that is made from now on. */
  listen(kernels: Kernel.IManager): void {
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
    kernel.connectionStatusChanged.connect((_, status) => {
      const why = this.reasons.get(kernel.clientId);
      this.reasons.delete(kernel.clientId);
      if (status === 'disconnected' && why !== undefined) {
        this.end(kernel, why);
      } else if (status === 'connected') {
        this.again(kernel);
      }
    });
    const send = kernel.sendShellMessage.bind(kernel);
    kernel.sendShellMessage = (message, expectReply, disposeOnDone) => {
      const closed = this.closed.get(kernel);
      return closed && message.header.msg_type === 'execute_request'
        ? (new Unrun(message, closed.why) as unknown as Kernel.IShellFuture<typeof message>)
        : send(message, expectReply, disposeOnDone);
    };
  }

  /** Have those connect again whose right was lost and is back. */
  private async comeBack(): Promise<void> {
    for (const [kernel, closed] of [...this.closed]) {
      const standing = await this.standings.of(`kernels:${kernel.id}`);
      if (refusedBecause(standing, 'watch') !== null) {
        closed.lost = true;
      } else if (standing && closed.lost && kernel.isDisposed) {
        // JupyterLab has dropped it with its session, which is listed for nobody who may not watch.
        this.again(kernel);
        for (const listener of [...this.listeners]) {
          listener(kernel.id);
        }
      } else if (standing && closed.lost) {
        await kernel.reconnect();
      }
    }
  }

  private end(kernel: Kernel.IKernelConnection, why: string): void {
    const told = [...this.closed.values()].find(each => each.why === why);
    const notice = told?.notice ?? Notification.warning(why, { autoClose: false });
    this.closed.set(kernel, { why, notice, lost: false });
  }

  private again(kernel: Kernel.IKernelConnection): void {
    const closed = this.closed.get(kernel);
    this.closed.delete(kernel);
    if (closed && ![...this.closed.values()].some(each => each.notice === closed.notice)) {
      Notification.dismiss(closed.notice);
    }
  }
}
