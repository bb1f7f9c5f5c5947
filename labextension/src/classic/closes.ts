/** A close that the server means for good: nbclassic comes back after any, and would be refused
 * again and again, with its indicator at a kernel that is busy. */
import type { Kernel } from './jupyter.js';

/** The code of such a close; none that nbclassic or a lost connection makes has it. */
const FINAL = 1000;

export class Closes {
  private readonly heeded = new WeakSet<WebSocket>();
  private readonly limits = new WeakMap<Kernel, number>();

  /** `tell` is called with the sentence of the server. */
  constructor(private readonly tell: (why: string) => void) {}

  /** Heed how the connection that `kernel` has now will be closed. */
  heed(kernel: Kernel | null | undefined): void {
    const socket = kernel?.ws;
    if (!kernel || !socket || this.heeded.has(socket)) {
      return;
    }
    this.heeded.add(socket);
    // It may have been closed for good, and somebody has had it connect again.
    kernel.reconnect_limit = this.limits.get(kernel) ?? kernel.reconnect_limit;
    this.limits.set(kernel, kernel.reconnect_limit);
    // What nbclassic does then hangs on the limit, so this has to be called before.
    const after = socket.onclose;
    socket.onclose = null;
    socket.addEventListener('close', event => {
      if (event.code === FINAL) {
        // It then says that it is not connected, and connects again on a click.
        kernel.reconnect_limit = 0;
        if (event.reason !== '') {
          this.tell(event.reason);
        }
      }
    });
    socket.onclose = after;
  }
}
