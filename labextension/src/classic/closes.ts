/** A close that the server means for good: nbclassic comes back after any, and would be refused
 * again and again, with its indicator at a kernel that is busy; and what is sent after it waits
 * for a connection that does not come. */
import type { Standing } from '../me.js';
import { refusedBecause } from '../me.js';
import { comesBack, FINAL, isAwaited, unanswered } from '../unanswered.js';
import type { Awaiting, Kernel } from './jupyter.js';

/** Of a socket: it is not open yet. */
const CONNECTING = 0;

export class Closes {
  private readonly heeded = new WeakSet<WebSocket>();
  private readonly limits = new WeakMap<Kernel, number>();
  /** Why each is closed, until it connects again. */
  private readonly closed = new WeakMap<Kernel, string>();
  /** As what each was sent whose answer somebody awaits. */
  private readonly types = new WeakMap<Awaiting, string>();

  /** `tell` is called with the sentence of the server, `again` when the right may be back. */
  constructor(
    private readonly tell: (why: string) => void,
    private readonly again: () => void
  ) {}

  /** Have `kernel` connect again where its connection was closed, and the right is back. */
  look(kernel: Kernel | null | undefined, standing: Standing | null): void {
    const why = kernel ? this.closed.get(kernel) : undefined;
    if (!kernel || why === undefined || !comesBack(why) || kernel.ws?.readyState === CONNECTING) {
      return;
    }
    if (standing && refusedBecause(standing, 'watch') === null) {
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
          this.closed.set(kernel, event.reason);
          // The server has answered what it had; the rest came when it heard nothing any more.
          void this.end(kernel, event.reason);
          this.tell(event.reason);
          if (comesBack(event.reason)) {
            // It may be back already, and nobody tells of it once more.
            this.again();
          }
        }
      }
    });
    socket.onclose = after;
  }

  /** Have what is sent while its connection is closed answered, which nbclassic would keep. */
  private answer(kernel: Kernel): void {
    const send = kernel.send_shell_message.bind(kernel);
    kernel.send_shell_message = (type, ...more) => {
      const id = send(type, ...more);
      const asked = kernel._msg_callbacks[id];
      if (asked && isAwaited(type)) {
        this.types.set(asked, type);
      }
      const why = this.closed.get(kernel);
      if (why !== undefined) {
        void this.end(kernel, why);
      }
      return id;
    };
  }

  /** End all that `kernel`'s page waits for now with `why`, once what has come before is taken. */
  private async end(kernel: Kernel, why: string): Promise<void> {
    const left: [string, string, Awaiting][] = [];
    for (const [id, asked] of Object.entries(kernel._msg_callbacks)) {
      const type = asked && this.types.get(asked);
      if (asked && type !== undefined) {
        left.push([id, type, asked]);
        this.types.delete(asked);
      }
    }
    // Else it would be sent after all with the next connection.
    kernel._pending_messages.splice(0);
    await kernel._msg_queue;
    for (const [id, type, asked] of left) {
      if (asked.shell_done && asked.iopub_done) {
        continue;
      }
      for (const part of unanswered(type, why, asked.shell_done)) {
        const channel = part.channel === 'reply' ? 'shell' : part.channel;
        const said = {
          header: { msg_type: part.type },
          parent_header: { msg_id: id, msg_type: type },
          metadata: {},
          content: part.content,
          channel,
          buffers: []
        };
        if (part.type === 'status') {
          // Taken as it comes, it would have the page show a kernel that is there.
          asked.iopub?.status?.(said);
        } else {
          kernel._handle_ws_message({ data: JSON.stringify(said) });
          await kernel._msg_queue;
        }
      }
      kernel._finish_iopub(id);
    }
  }
}
