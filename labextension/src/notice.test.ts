import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client.js';
import { Refused } from './client.js';
import { endOf } from './ended.js';
import { noticeOf } from './notice.js';
import { WORDS } from './words.js';

const all = { view: true, edit: true, run: true, runSaved: true };
const none = { view: false, edit: false, run: false, runSaved: false };
const seen = (
  less: Partial<typeof all>,
  kernelId: string | null = 'k'
): Parameters<typeof noticeOf>[1] => ({ can: { ...all, ...less }, kernelId });

const cases: [string, Parameters<typeof noticeOf>[1], typeof none, boolean | null, RegExp][] = [
  ['all', seen({}), none, true, /no access/],
  ['saving', seen({}), { ...all, edit: false, run: false }, true, /read-only/],
  ['running', seen({}), { ...all, run: false }, true, /cannot run/],
  ['nothing', seen({}), all, null, /^$/]
];

for (const [what, before, can, lost, text] of cases) {
  test(`who loses ${what} is told just that`, () => {
    const notice = noticeOf('a', before, { can, kernelId: 'k' });
    assert.equal(notice?.lost ?? null, lost);
    assert.match(notice?.text ?? '', text);
  });
}

test('who gets a right back is told, too, and nothing is offered for it', () => {
  assert.deepEqual(noticeOf('a', seen({ edit: false }), seen({}))?.lost, false);
  assert.match(noticeOf('a', seen({ run: false }), seen({}))?.text ?? '', /can run/);
  assert.equal(noticeOf('a', seen({ edit: false }), seen({}))?.offers, false);
});

test('who may have more than their kernel sees is told once, and of no other kernel', () => {
  const less = { ...seen({}), lacks: false };
  const more = { ...seen({}), lacks: true };
  assert.match(noticeOf('a', less, more)?.text ?? '', /Restart/);
  assert.equal(noticeOf('a', less, more)?.lost, false);
  assert.equal(noticeOf('a', more, more), null);
  assert.equal(noticeOf('a', more, less), null);
  assert.equal(noticeOf('a', seen({}, 'l'), more), null);
});

test('another kernel, or the first one, is no change of rights', () => {
  assert.equal(noticeOf('a', seen({ run: false }, null), seen({}, 'k')), null);
  assert.equal(noticeOf('a', seen({}, 'k'), seen({ run: false }, 'l')), null);
});

const server = (answer: () => unknown): Client =>
  ({ get: () => Promise.resolve().then(answer) }) as unknown as Client;
const saying =
  (...ended: unknown[]): (() => unknown) =>
  () => ({ resources: { 'kernels:k': { ended: ended.shift() ?? null } } });

test('that a kernel was ended is said to its owner and to others, each in their words', async () => {
  assert.equal(await endOf(server(saying('mine')), 'k', 'a', []), WORDS.ended('a'));
  assert.equal(await endOf(server(saying('theirs')), 'k', 'a', []), WORDS.endedTheirs('a'));
  assert.equal(await endOf(server(saying(null)), 'k', 'a', []), null);
});

test('a kernel that ends only after the page has heard of the change is told too', async () => {
  const later = server(saying(null, null, 'mine'));
  assert.equal(await endOf(later, 'k', 'a', [1, 1]), WORDS.ended('a'));
});

test('a server that does not answer, or is older, tells nothing and breaks nothing', async () => {
  const refusing = server(() => {
    throw new Refused('no', 503);
  });
  assert.equal(await endOf(refusing, 'k', 'a'), null);
  const older = server(() => ({ resources: {} }));
  assert.equal(await endOf(older, 'k', 'a', []), null);
});
