import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import type { Me } from '../me.js';
import { Standings } from '../me.js';
import { type Provider, Room } from './rooms.js';

const EMPTY = [2, 0, 0];

/** A document in its room, of which the server says in turn what may be done with it. */
function opened(...answers: (readonly string[] | null)[]) {
  const client = {
    get: () => {
      const may = answers.length > 1 ? answers.shift() : answers[0];
      const actions = Object.fromEntries(
        ['open', 'save'].map(each => [each, { allowed: may?.includes(each) ?? false }])
      );
      const resources = may ? { 'contents:/a.ipynb': { level: null, owner: null, actions } } : {};
      return Promise.resolve({ revision: 1, resources } as unknown as Me);
    }
  };
  const standings = new Standings(client as never);
  const ydoc = new Y.Doc();
  const sent: number[][] = [];
  const calls: string[] = [];
  let close: (event: { code: number }) => void = () => undefined;
  const provider: Provider = {
    ws: { send: data => sent.push([...(data as Uint8Array)]) },
    shouldConnect: true,
    connect: () => calls.push('connect'),
    disconnect: () => calls.push('disconnect'),
    on: (_, hear) => {
      close = hear;
    }
  };
  const disposed = { connect: () => undefined };
  new Room({ ydoc, disposed, getState: () => undefined }, 'RTC:a.ipynb', standings);
  const says = (...message: number[]): void => {
    provider.ws?.send(new Uint8Array(message));
  };
  // As the first that comes of the room.
  ydoc.transact(() => undefined, provider);
  return {
    calls,
    close: (code: number) => {
      close({ code });
    },
    provider,
    says,
    sent,
    standings
  };
}

const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve));

test('what a page writes into a document that I may not change is not sent', async () => {
  const { says, sent } = opened(['open']);
  says(0, 2, 1, 7);
  await settled();
  says(0, 1, 1, 7);
  assert.deepEqual(sent, [
    [0, 2, ...EMPTY],
    [0, 1, ...EMPTY]
  ]);
});

test('what tells who is there, and asks what is there, is', async () => {
  const { says, sent } = opened(['open']);
  await settled();
  says(1, 2);
  says(0, 0, 1, 0);
  assert.deepEqual(sent, [
    [1, 2],
    [0, 0, 1, 0]
  ]);
});

test('what I write while it is not known yet whether I may is sent when I may', async () => {
  const { says, sent } = opened(['open', 'save']);
  says(0, 2, 1, 7);
  assert.deepEqual(sent, []);
  await settled();
  assert.deepEqual(sent, [[0, 2, 1, 7]]);
});

test('where the server does not say what I may do, it gets what I write', async () => {
  const { says, sent } = opened(null);
  says(0, 2, 1, 7);
  await settled();
  assert.deepEqual(sent, [[0, 2, 1, 7]]);
});

test('a socket that comes later heeds the same', async () => {
  const { provider, sent } = opened(['open']);
  await settled();
  provider.ws = { send: data => sent.push([...(data as Uint8Array)]) };
  provider.ws.send(new Uint8Array([0, 1, 1, 7]));
  assert.deepEqual(sent, [[0, 1, ...EMPTY]]);
});

test('whoever may not open the document any more leaves its room, and is back with the right', async () => {
  const { calls, standings } = opened(['open', 'save'], [], ['open']);
  await settled();
  standings.forget();
  await settled();
  assert.deepEqual(calls, ['disconnect']);
  standings.forget();
  await settled();
  assert.deepEqual(calls, ['disconnect', 'connect']);
});

test('a room that the server has closed is asked for again only after the right to it', async () => {
  const { calls, close, provider } = opened(['open'], null, ['open']);
  await settled();
  close(1008);
  assert.equal(provider.shouldConnect, false);
  await settled();
  assert.deepEqual(calls, []);
});

test('a connection that broke comes back by itself', async () => {
  const { close, provider } = opened(['open']);
  await settled();
  close(1006);
  assert.equal(provider.shouldConnect, true);
});
