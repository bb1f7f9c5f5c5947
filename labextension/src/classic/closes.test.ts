import assert from 'node:assert/strict';
import test from 'node:test';
import { Closes } from './closes.js';
import type { Standing } from '../me.js';
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

interface Connected {
  kernel: Kernel;
  socket: Socket;
  limits: number[];
  /** What it was given to send, what it heard, and how often it was to connect again. */
  sent: unknown[];
  heard: Said[];
  again: number[];
  /** Of what it was told that no output comes any more. */
  ended: unknown[];
}

interface Said {
  channel: string;
  header: { msg_type: string };
  parent_header: { msg_id: string };
  content: Record<string, unknown>;
}

function connected(): Connected {
  const socket = new Socket();
  const sent: unknown[] = [];
  const heard: Said[] = [];
  const again: number[] = [];
  const ended: unknown[] = [];
  const kernel: Kernel = {
    ws: socket as unknown as WebSocket,
    reconnect_limit: 7,
    reconnect: () => again.push(1),
    _send: message => sent.push(message),
    _ws_closed: () => undefined,
    _handle_ws_message: ({ data }) => heard.push(JSON.parse(data) as Said),
    _msg_queue: Promise.resolve(),
    _finish_iopub: id => ended.push(id)
  };
  const limits: number[] = [];
  kernel._ws_closed = () => limits.push(kernel.reconnect_limit);
  socket.onclose = () => limits.push(kernel.reconnect_limit);
  return { kernel, socket, limits, sent, heard, again, ended };
}

function standing(watches: boolean): Standing {
  return { level: null, owner: null, actions: { watch: { allowed: watches, reason: 'No.' } } };
}

const run = JSON.stringify({ header: { msg_id: 'r', msg_type: 'execute_request' } });
const look = JSON.stringify({ header: { msg_id: 'l', msg_type: 'inspect_request' } });

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

test('what is run after a close for good ends with the reason, and is not kept for later', async () => {
  const { kernel, socket, sent, heard, ended } = connected();
  new Closes(() => undefined).heed(kernel);
  kernel._send(run);
  socket.end(1000, 'Taken.');
  kernel._send(look);
  kernel._send(new ArrayBuffer(8));
  assert.equal(heard.length, 0);
  kernel._send(run);
  assert.deepEqual(sent, [run, look, new ArrayBuffer(8)]);
  assert.deepEqual(
    heard.map(each => [each.channel, each.header.msg_type, each.parent_header.msg_id]),
    [
      ['iopub', 'error', 'r'],
      ['shell', 'execute_reply', 'r']
    ]
  );
  assert.equal(heard[0]?.content.evalue, 'Taken. This was not run.');
  assert.equal(heard[1]?.content.status, 'error');
  assert.deepEqual(ended, []);
  await Promise.resolve();
  assert.deepEqual(ended, ['r']);
});

test('once it has connected again, what is run is sent', () => {
  const { kernel, socket, sent, heard } = connected();
  const closes = new Closes(() => undefined);
  closes.heed(kernel);
  socket.end(1000, 'Taken.');
  kernel.ws = connected().socket as unknown as WebSocket;
  closes.heed(kernel);
  kernel._send(run);
  assert.deepEqual([sent, heard], [[run], []]);
});

test('it connects again once a right that was lost is back, and not where none was', () => {
  const { kernel, socket, again } = connected();
  const closes = new Closes(() => undefined);
  closes.heed(kernel);
  closes.look(kernel, standing(true));
  socket.end(1000, 'Sent away.');
  closes.look(kernel, standing(true));
  closes.look(kernel, null);
  assert.deepEqual(again, []);
  closes.look(kernel, standing(false));
  closes.look(kernel, null);
  assert.deepEqual(again, []);
  closes.look(kernel, standing(true));
  assert.deepEqual(again, [1]);
});
