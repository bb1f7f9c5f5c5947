import assert from 'node:assert/strict';
import test from 'node:test';
import { Closes } from './closes.js';
import type { Kernel } from './jupyter.js';

/** A socket as far as it matters, with `onclose` among its listeners as a browser has it. */
class Socket extends EventTarget {
  private own: ((event: Event) => void) | null = null;

  get onclose(): ((event: Event) => void) | null {
    return this.own;
  }

  set onclose(listener: ((event: Event) => void) | null) {
    if (this.own) {
      this.removeEventListener('close', this.own);
    }
    this.own = listener;
    if (listener) {
      this.addEventListener('close', listener);
    }
  }

  end(code: number, reason: string): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }
}

function connected(): { kernel: Kernel; socket: Socket; limits: number[] } {
  const socket = new Socket();
  const kernel: Kernel = { ws: socket as unknown as WebSocket, reconnect_limit: 7 };
  const limits: number[] = [];
  socket.onclose = () => limits.push(kernel.reconnect_limit);
  return { kernel, socket, limits };
}

test('after a close for good nbclassic does not come back, and is told why', () => {
  const told: string[] = [];
  const { kernel, socket, limits } = connected();
  new Closes(why => told.push(why)).heed(kernel);
  socket.end(1000, 'You are signed out.');
  assert.deepEqual(limits, [0]);
  assert.deepEqual(told, ['You are signed out.']);
});

test('after any other close it comes back as ever', () => {
  for (const code of [1001, 1005, 1006, 1011, 1013]) {
    const { kernel, socket, limits } = connected();
    const told: string[] = [];
    new Closes(why => told.push(why)).heed(kernel);
    socket.end(code, 'why');
    assert.deepEqual(told, []);
    assert.deepEqual(limits, [7]);
  }
});

test('once somebody has had it connect again, it comes back again after a lost connection', () => {
  const told: string[] = [];
  const { kernel, socket } = connected();
  const closes = new Closes(why => told.push(why));
  closes.heed(kernel);
  closes.heed(kernel);
  socket.end(1000, 'Left.');
  const next = connected();
  kernel.ws = next.socket as unknown as WebSocket;
  closes.heed(kernel);
  next.socket.end(1006, '');
  assert.equal(kernel.reconnect_limit, 7);
  assert.deepEqual(told, ['Left.']);
});
