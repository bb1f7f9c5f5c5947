import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelConnection, KernelMessage, ServerConnection } from '@jupyterlab/services';
import type { Kernel } from '@jupyterlab/services';
import type { Standing, Standings } from '../me.js';
import { WORDS } from '../words.js';
import { Closes } from './closes.js';

const TAKEN = WORDS.kernelTaken;

/** A socket whose other end is the test. */
class Socket extends EventTarget {
  static last: Socket;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: Event) => void) | null = null;
  protocol = '';
  sent: KernelMessage.IMessage[] = [];

  constructor(readonly url: string) {
    super();
    Socket.last = this;
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data) as KernelMessage.IMessage);
  }

  close(): void {
    // The kernel's own connection lets go of it.
  }

  open(): void {
    this.onopen?.(new Event('open'));
    this.reply(this.sent[0], 'kernel_info_reply', { status: 'ok' });
  }

  end(code: number, reason: string): void {
    const event = Object.assign(new Event('close'), { code, reason });
    // As a browser: `onclose` was set after others had begun to listen.
    this.dispatchEvent(event);
    this.onclose?.(event);
  }

  /** Have the kernel answer `to`. */
  reply(to: KernelMessage.IMessage | undefined, type: string, content: object): void {
    const channel = type === 'status' ? 'iopub' : 'shell';
    const header = { ...to?.header, msg_type: type, session: 'of the kernel' };
    const said = {
      header,
      parent_header: to?.header,
      metadata: {},
      content,
      channel,
      buffers: []
    };
    this.onmessage?.({ data: JSON.stringify(said) });
  }
}

/** Let all that waits for what has been done go on. */
const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5));

/** The socket after `before`: upstream waits for a time of its own before it connects again. */
async function after(before: Socket): Promise<Socket> {
  for (let tries = 0; Socket.last === before && tries < 2000; tries += 1) {
    await settled();
  }
  assert.notEqual(Socket.last, before);
  return Socket.last;
}

/** A page that is connected to a kernel. */
async function connected(may = true) {
  const standings = {
    may,
    asked: 0,
    changed: (): void => undefined,
    onChange(listener: () => void) {
      this.changed = listener;
      return () => undefined;
    },
    of(): Promise<Standing> {
      return Promise.resolve({
        level: null,
        owner: null,
        actions: { watch: { allowed: this.may, reason: 'No.' } }
      });
    },
    forget(): void {
      this.asked += 1;
      this.changed();
    }
  };
  const told: string[] = [];
  const closes = new Closes(standings as unknown as Standings, why => {
    told.push(why);
    return () => told.splice(0);
  });
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    wsUrl: 'ws://localhost/',
    WebSocket: Socket as unknown as typeof WebSocket
  });
  const kernels = {
    serverSettings,
    connectTo: (options: Kernel.IKernelConnection.IOptions) =>
      new KernelConnection({ ...options, serverSettings })
  };
  closes.listen(kernels);
  const kernel = kernels.connectTo({ model: { id: 'k', name: 'python3' } });
  Socket.last.open();
  await settled();
  return { closes, kernel, socket: Socket.last, standings, told };
}

/** Run `code`; what is said of it. */
function run(kernel: Kernel.IKernelConnection, code = '1'): string[] {
  const said: string[] = [];
  const future = kernel.requestExecute({ code }, false);
  future.onIOPub = ({ header, content }) => {
    const { evalue, execution_state: state } = content as Record<string, string>;
    said.push(state ?? `${header.msg_type}: ${evalue ?? ''}`);
  };
  void future.done.then(({ content }) => said.push(content.status));
  return said;
}

const NOT_RUN = ['busy', `error: ${TAKEN} This was not run.`, 'idle', 'error'];

test('a run that the server has not answered by its close ends with the reason', async () => {
  const { kernel, socket } = await connected(false);
  const [before, replied, late] = ['1', '2', '3'].map(code => run(kernel, code));
  const [first, second] = socket.sent.slice(1);
  // The server's last words, which the page has not taken when the close comes.
  socket.reply(first, 'execute_reply', { status: 'ok' });
  socket.reply(first, 'status', { execution_state: 'idle' });
  socket.reply(second, 'execute_reply', { status: 'ok' });
  socket.end(1000, TAKEN);
  await settled();
  assert.deepEqual([before, replied, late], [['idle', 'ok'], ['busy', 'idle', 'ok'], NOT_RUN]);
});

test('what is sent after a close ends with the reason, and is sent with no later connection', async () => {
  const { kernel, socket, standings } = await connected(false);
  socket.end(1000, TAKEN);
  await settled();
  const said = run(kernel);
  const [completed, found] = await Promise.all([
    kernel.requestComplete({ code: 'a', cursor_pos: 1 }),
    kernel.requestInspect({ code: 'a', cursor_pos: 1, detail_level: 0 }),
    kernel.createComm('jupyter.widget').open().done
  ]);
  await settled();
  assert.deepEqual(said, NOT_RUN);
  assert.deepEqual([completed.content.status, found.content.status], ['error', 'error']);
  standings.may = true;
  standings.changed();
  (await after(socket)).open();
  await settled();
  const sent = Socket.last.sent.map(({ header }) => header.msg_type);
  assert.deepEqual(new Set(sent), new Set(['kernel_info_request']));
  kernel.dispose();
});

test('after a connection that was lost, what was sent waits for the next one', async () => {
  const { kernel, socket, told } = await connected();
  const said = run(kernel);
  socket.end(1006, '');
  (await after(socket)).open();
  await settled();
  assert.deepEqual([said, told], [[], []]);
  Socket.last.reply(socket.sent[1], 'status', { execution_state: 'idle' });
  Socket.last.reply(socket.sent[1], 'execute_reply', { status: 'ok' });
  await settled();
  assert.deepEqual(said, ['idle', 'ok']);
  kernel.dispose();
});

test('it connects again once a right that was taken is there, also where none saw it gone', async () => {
  const { kernel, socket, standings, told } = await connected(true);
  socket.end(1000, TAKEN);
  const second = await after(socket);
  assert.equal(standings.asked, 1);
  standings.changed();
  await settled();
  assert.equal(Socket.last, second);
  assert.deepEqual(told, [TAKEN]);
  second.open();
  await settled();
  assert.deepEqual([kernel.connectionStatus, told], ['connected', []]);
  kernel.dispose();
});

test('who was sent away, or is signed out, comes back by their own act', async () => {
  for (const why of ['An administrator has disconnected you.', 'You are signed out.']) {
    const { kernel, socket, standings } = await connected();
    socket.end(1000, why);
    await settled();
    standings.changed();
    await settled();
    assert.deepEqual([Socket.last, kernel.connectionStatus], [socket, 'disconnected']);
  }
});
