/** A close that the server means for good: nbclassic comes back after any, and would be refused
 * again and again, with its indicator at a kernel that is busy; and what is run after it waits for
 * a connection that does not come. */
import type { Standing } from '../me.js';
import { refusedBecause } from '../me.js';
import { FINAL, unrun } from '../unrun.js';
import type { Kernel } from './jupyter.js';

interface Header {
  msg_type?: unknown;
  msg_id?: unknown;
}

export class Closes {
  private readonly heeded = new WeakSet<WebSocket>();
  private readonly limits = new WeakMap<Kernel, number>();
  /** Why each is closed, until it connects again; and whether I was seen to have lost the right
   * since, which whoever was sent away just so has not. */
  private readonly closed = new WeakMap<Kernel, { why: string; lost: boolean }>();

  /** `tell` is called with the sentence of the server. */
  constructor(private readonly tell: (why: string) => void) {}

  /** Have `kernel` connect again where its connection was closed, and the right is back. */
  look(kernel: Kernel | null | undefined, standing: Standing | null): void {
    const closed = kernel ? this.closed.get(kernel) : undefined;
    if (!kernel || !closed) {
      return;
    }
    if (refusedBecause(standing, 'watch') !== null) {
      closed.lost = true;
    } else if (standing && closed.lost) {
      kernel.reconnect();
    }
  }

  /** Heed how the connection that `kernel` has now will be closed. */
  heed(kernel: Kernel | null | undefined): void {
    const socket = kernel?.ws;
    if (!kernel || !socket || this.heeded.has(socket)) {
      return;
    }
    this.heeded.add(socket);
    this.closed.delete(kernel);
    if (!this.limits.has(kernel)) {
      this.answer(kernel);
    }
    // It may have been closed for good, and somebody has had it connect again.
    kernel.reconnect_limit = this.limits.get(kernel) ?? kernel.reconnect_limit;
    this.limits.set(kernel, kernel.reconnect_limit);
    // This has to be called before nbclassic's own.
    const after = socket.onclose;
    socket.onclose = null;
    socket.addEventListener('close', event => {
      if (event.code === FINAL) {
        // Within a second of its opening nbclassic takes a close for the kernel's death.
        event.stopImmediatePropagation();
        // It then says that it is not connected, and connects again on a click.
        kernel.reconnect_limit = 0;
        kernel._ws_closed(socket.url, false);
        if (event.reason !== '') {
          this.closed.set(kernel, { why: event.reason, lost: false });
          this.tell(event.reason);
        }
      }
    });
    socket.onclose = after;
  }

  /** Have runs answered while its connection is closed; nbclassic would keep them for the next. */
  private answer(kernel: Kernel): void {
    const send = kernel._send.bind(kernel);
    kernel._send = message => {
      const why = this.closed.get(kernel)?.why;
      const header = why === undefined ? null : headerOf(message);
      if (why === undefined || header?.msg_type !== 'execute_request') {
        send(message);
        return;
      }
      for (const { channel, type, content } of unrun(why)) {
        if (type === 'status') {
          // It would have the page show a kernel that is there.
          continue;
        }
        const said = {
          header: { ...header, msg_type: type },
          parent_header: header,
          metadata: {},
          content,
          channel,
          buffers: []
        };
        kernel._handle_ws_message({ data: JSON.stringify(said) });
      }
      void kernel._msg_queue.then(() => {
        kernel._finish_iopub(header.msg_id);
      });
    };
  }
}

/** The header of a message as it is sent; null of one with buffers, which no run has. */
function headerOf(message: unknown): Header | null {
  return typeof message === 'string' ? (JSON.parse(message) as { header: Header }).header : null;
}
