import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client.js';
import { Refused } from './client.js';
import { wasEnded } from './ended.js';
import { noticeOf } from './notice.js';

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

const records = (answer: () => unknown): Client =>
  ({ get: () => Promise.resolve().then(answer) }) as unknown as Client;

test('that a kernel was ended is said of that kernel alone', async () => {
  const client = records(() => ({
    items: [{ process: 'kernels:other' }, {}, { process: 'kernels:k' }],
    next: null
  }));
  assert.equal(await wasEnded(client, 'user:a', 'k'), true);
  assert.equal(await wasEnded(client, 'user:a', 'l', []), false);
});

test('a kernel that ends only after the page has heard of the change is told too', async () => {
  const items: unknown[][] = [[], [], [{ process: 'kernels:k' }]];
  const later = records(() => ({ items: items.shift(), next: null }));
  assert.equal(await wasEnded(later, 'user:a', 'k', [1, 1]), true);
});

test('records that cannot be read tell nothing and break nothing', async () => {
  const refusing = records(() => {
    throw new Refused('no', 503);
  });
  assert.equal(await wasEnded(refusing, 'user:a', 'k'), false);
});
