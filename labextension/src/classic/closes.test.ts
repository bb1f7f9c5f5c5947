import assert from 'node:assert/strict';
import test from 'node:test';
import { Closes } from './closes.js';
import type { Standing } from '../me.js';
import { WORDS } from '../words.js';
import type { Kernel } from './jupyter.js';

/** A socket as far as it matters, with `onclose` among its listeners as a browser has it. */
class Socket extends EventTarget {
  readyState = 1;
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

  get closed(): boolean {
    return this.readyState === 3;
  }

  end(code: number, reason: string): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }
}

interface Said {
  channel: string;
  header: { msg_type: string };
  parent_header: { msg_id: string };
  content: Record<string, unknown>;
}

const TAKEN = WORDS.kernelTaken;

/** A kernel's connection as far as nbclassic's matters; what it was given to send is `sent`. */
function connected(tell: (why: string) => void = () => undefined) {
  const socket = new Socket();
  const sent: string[] = [];
  const heard: Said[] = [];
  const states: unknown[] = [];
  const ended: string[] = [];
  const limits: number[] = [];
  const counted = { reconnects: 0, asked: 0 };
  const kernel: Kernel = {
    ws: socket as unknown as WebSocket,
    reconnect_limit: 7,
    reconnect: () => (counted.reconnects += 1),
    send_shell_message: type => {
      const id = `${type}-${sent.push(type).toString()}`;
      const iopub = { status: (said: unknown) => states.push((said as Said).content) };
      kernel._msg_callbacks[id] = { shell_done: false, iopub_done: false, iopub };
      if (socket.closed) {
        kernel._pending_messages.push(type);
      }
      return id;
    },
    _pending_messages: [],
    _msg_callbacks: {},
    _ws_closed: () => limits.push(kernel.reconnect_limit),
    _handle_ws_message: ({ data }) => heard.push(JSON.parse(data) as Said),
    _msg_queue: Promise.resolve(),
    _finish_iopub: id => ended.push(id)
  };
  socket.onclose = () => limits.push(kernel.reconnect_limit);
  const closes = new Closes(tell, () => (counted.asked += 1));
  closes.heed(kernel);
  return { closes, kernel, socket, limits, sent, heard, states, ended, counted };
}

function standing(watches: boolean): Standing {
  return { level: null, owner: null, actions: { watch: { allowed: watches, reason: 'No.' } } };
}

/** What has been said, without what it means. */
const types = (heard: Said[]): string[][] =>
  heard.map(each => [each.channel, each.header.msg_type, each.parent_header.msg_id]);

/** Let all that waits for what has been done go on. */
const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve));

test('after a close for good nbclassic does not come back, and is told why', () => {
  const told: string[] = [];
  const { socket, limits } = connected(why => told.push(why));
  socket.end(1000, 'You are signed out.');
  assert.deepEqual(limits, [0]);
  assert.deepEqual(told, ['You are signed out.']);
});

test('after any other close it comes back as ever, and what was sent waits for that', async () => {
  for (const code of [1001, 1005, 1006, 1011, 1013]) {
    const told: string[] = [];
    const { kernel, socket, limits, heard } = connected(why => told.push(why));
    kernel.send_shell_message('execute_request');
    socket.end(code, 'why');
    kernel.send_shell_message('execute_request');
    await settled();
    assert.deepEqual([told, limits, heard], [[], [7], []]);
    assert.equal(kernel._pending_messages.length, 1);
  }
});

test('once somebody has had it connect again, it comes back again after a lost connection', () => {
  const told: string[] = [];
  const { closes, kernel, socket } = connected(why => told.push(why));
  closes.heed(kernel);
  socket.end(1000, 'Left.');
  const next = new Socket();
  kernel.ws = next as unknown as WebSocket;
  closes.heed(kernel);
  next.end(1006, '');
  assert.equal(kernel.reconnect_limit, 7);
  assert.deepEqual(told, ['Left.']);
});

test('what was sent and not answered by the close ends with the reason, after what came before', async () => {
  const { kernel, socket, heard, ended, states } = connected();
  const run = kernel.send_shell_message('execute_request');
  const [replied, told, whole] = ['execute_request', 'comm_msg', 'inspect_request'].map(type =>
    kernel.send_shell_message(type)
  );
  let come: () => void = () => undefined;
  kernel._msg_queue = new Promise<void>(resolve => (come = resolve)).then(() => {
    // The server's last words.
    Object.assign(kernel._msg_callbacks[replied ?? ''] ?? {}, { shell_done: true });
    Object.assign(kernel._msg_callbacks[whole ?? ''] ?? {}, {
      shell_done: true,
      iopub_done: true
    });
  });
  socket.end(1000, TAKEN);
  await settled();
  assert.equal(heard.length + ended.length, 0);
  come();
  await settled();
  assert.deepEqual(types(heard), [
    ['iopub', 'error', run],
    ['shell', 'execute_reply', run]
  ]);
  assert.equal(heard[0]?.content.evalue, `${TAKEN} This was not run.`);
  assert.equal(heard[1]?.content.status, 'error');
  assert.deepEqual(ended, [run, replied, told]);
  assert.equal(states.length, 6);
});

test('what is sent after a close for good ends with the reason, and is not kept for later', async () => {
  const { kernel, socket, heard, ended } = connected();
  socket.end(1000, TAKEN);
  const sent = ['execute_request', 'complete_request', 'comm_msg'].map(type =>
    kernel.send_shell_message(type)
  );
  // Whoever asks has to know the id before there is an answer to it.
  assert.equal(heard.length, 0);
  await settled();
  const [run = '', look = ''] = sent;
  assert.deepEqual(types(heard).sort(), [
    ['iopub', 'error', run],
    ['shell', 'complete_reply', look],
    ['shell', 'execute_reply', run]
  ]);
  assert.deepEqual(heard.find(each => each.parent_header.msg_id === look)?.content.matches, []);
  assert.deepEqual(ended.sort(), sent.sort());
  assert.deepEqual(kernel._pending_messages, []);
});

test('once it has connected again, what is run is sent', async () => {
  const { closes, kernel, socket, sent, heard } = connected();
  socket.end(1000, TAKEN);
  kernel.ws = new Socket() as unknown as WebSocket;
  closes.heed(kernel);
  kernel.send_shell_message('execute_request');
  await settled();
  assert.deepEqual([sent, heard], [['execute_request'], []]);
});

test('it connects again once a right that was taken is there, also where none saw it gone', () => {
  const { closes, kernel, socket, counted } = connected();
  closes.look(kernel, standing(true));
  socket.end(1000, TAKEN);
  assert.deepEqual(counted, { reconnects: 0, asked: 1 });
  closes.look(kernel, standing(false));
  closes.look(kernel, null);
  assert.equal(counted.reconnects, 0);
  closes.look(kernel, standing(true));
  assert.equal(counted.reconnects, 1);
  socket.readyState = 0;
  closes.look(kernel, standing(true));
  assert.equal(counted.reconnects, 1);
});

test('who was sent away, or is signed out, comes back by their own act', () => {
  for (const why of ['An administrator has disconnected you.', 'You are signed out.']) {
    const { closes, kernel, socket, counted } = connected();
    socket.end(1000, why);
    closes.look(kernel, standing(false));
    closes.look(kernel, standing(true));
    assert.deepEqual(counted, { reconnects: 0, asked: 0 });
  }
});
