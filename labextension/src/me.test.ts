import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client.js';
import { Refused } from './client.js';
import type { Me } from './me.js';
import { contents, portions, refusedBecause, Standings } from './me.js';

function answering(me: (asked: readonly string[]) => Partial<Me>): [Client, string[][]] {
  const calls: string[][] = [];
  const get = async (_: string, query: { resource?: string[] } = {}): Promise<unknown> => {
    calls.push(query.resource ?? []);
    await Promise.resolve();
    return { revision: 1, resources: {}, ...me(query.resource ?? []) };
  };
  return [{ get } as unknown as Client, calls];
}

const standing = { level: 'viewer', owner: null, actions: {} };

test('what is asked in one turn goes out as one request, each thing once', async () => {
  const [client, calls] = answering(asked => ({
    resources: Object.fromEntries(asked.map(each => [each, standing]))
  }));
  const standings = new Standings(client);
  const found = await Promise.all(['a:1', 'a:2', 'a:1'].map(each => standings.of(each)));
  assert.deepEqual(found, [standing, standing, standing]);
  assert.deepEqual(calls, [['a:1', 'a:2']]);
  await standings.of('a:2');
  assert.equal(calls.length, 1);
});

test('what is on its way is not asked again, unless it is of before', async () => {
  const [client, calls] = answering(asked => ({
    resources: Object.fromEntries(asked.map(each => [each, standing]))
  }));
  const standings = new Standings(client);
  const first = standings.of('a:1');
  await Promise.resolve();
  const second = standings.of('a:1');
  assert.deepEqual(calls, [['a:1']]);
  standings.forget();
  const third = standings.of('a:1');
  assert.deepEqual(await Promise.all([first, second, third]), [standing, standing, standing]);
  assert.deepEqual(calls, [['a:1'], ['a:1']]);
});

test('a server that refuses leaves the page without an answer, not without a reply', async () => {
  const [client] = answering(() => {
    throw new Refused('no', 500);
  });
  const standings = new Standings(client);
  assert.equal(await standings.of('a:1'), null);
  assert.equal(await standings.whoAmI(), null);
});

test('a server that has no such question is asked once', async () => {
  let calls = 0;
  const [client] = answering(() => {
    calls += 1;
    throw new Refused('no', 404);
  });
  const standings = new Standings(client);
  assert.equal(await standings.of('a:1'), null);
  assert.equal(await standings.of('a:2'), null);
  assert.equal(await standings.whoAmI(), null);
  assert.equal(calls, 1);
});

test('a new revision has everything asked again, the old one nothing', async () => {
  let revision = 1;
  const [client, calls] = answering(asked => ({
    revision,
    resources: Object.fromEntries(asked.map(each => [each, standing]))
  }));
  const standings = new Standings(client);
  let told = 0;
  standings.onChange(() => (told += 1));
  await standings.whoAmI();
  await standings.of('a:1');
  await standings.refresh();
  assert.deepEqual([told, standings.peek('a:1')], [0, standing]);
  revision = 2;
  await standings.refresh();
  assert.deepEqual([told, standings.peek('a:1')], [1, undefined]);
  assert.equal(calls.length, 4);
});

test('an answer of a new revision has what was known before it asked again, and once', async () => {
  let revision = 1;
  const [client, calls] = answering(asked => ({
    revision,
    resources: Object.fromEntries(asked.map(each => [each, standing]))
  }));
  const standings = new Standings(client);
  await standings.of('a:1');
  let told = 0;
  standings.onChange(() => {
    told += 1;
    void standings.of('a:1');
  });
  revision = 2;
  // As a view does that has got a new kernel, before anybody has looked whether there is news.
  await standings.of('a:2');
  assert.deepEqual([told, standings.peek('a:1'), standings.peek('a:2')], [1, undefined, standing]);
  await standings.refresh();
  assert.deepEqual([told, standings.peek('a:1')], [1, standing]);
  assert.deepEqual(calls, [['a:1'], ['a:2'], ['a:1'], []]);
});

test('a long list is asked in portions that a header can hold', () => {
  const names = Array.from({ length: 1000 }, (_, n) => `contents:/${'ü'.repeat(80)}${n}`);
  const made = portions(names);
  assert.deepEqual(made.flat(), names);
  for (const portion of made) {
    assert.ok(portion.map(each => encodeURIComponent(each)).join('&resource=').length < 17_000);
  }
  assert.deepEqual(portions([]), []);
});

test('what is not known is not called refused, and one way that is open is enough', () => {
  const actions = { save: { allowed: false, reason: 'no' }, open: { allowed: true } };
  const found = { level: null, owner: null, actions };
  assert.equal(refusedBecause(undefined, 'save'), null);
  assert.equal(refusedBecause(found, 'unheard-of'), null);
  assert.equal(refusedBecause(found, 'save'), 'no');
  assert.equal(refusedBecause(found, 'save', 'open'), null);
});

test('a path becomes the resource that the server means by it', () => {
  assert.equal(contents('team/a b.ipynb'), 'contents:/team/a b.ipynb');
  assert.equal(contents(''), 'contents:/');
  assert.equal(contents('RTC:team/a.ipynb'), 'contents:/team/a.ipynb');
});
