import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryOf, refusal, sentence, xsrf } from './client.js';
import { WORDS } from './words.js';

test('the cookie against forged requests is found among others', () => {
  assert.equal(xsrf('a=1; _xsrf=2|x; b=3'), '2|x');
  assert.equal(xsrf('not_xsrf=1'), '');
  assert.equal(xsrf(''), '');
});

test('a query holds each value of a list, and none that is empty', () => {
  assert.equal(
    queryOf({ q: 'a b&c', after: undefined, resource: ['x:1', 'x:2'], level: '' }),
    '?q=a+b%26c&resource=x%3A1&resource=x%3A2'
  );
  assert.equal(queryOf({}), '');
});

test("a refusal is the server's own sentence", () => {
  const found = refusal(403, { message: 'You can view a but not change it.', decision_id: 'd1' });
  assert.deepEqual(
    [found.message, found.status, found.decision],
    ['You can view a but not change it.', 403, 'd1']
  );
});

test('an answer that is no refusal of ours is put into a sentence all the same', () => {
  for (const json of [undefined, null, 'x', [], { message: 7 }, { message: '' }]) {
    assert.equal(refusal(500, json).message, WORDS.broken);
    assert.equal(refusal(401, json).message, WORDS.byStatus[401]);
    assert.equal(refusal(418, json).message, WORDS.refused(418));
  }
});

test('a server that is older than the page says more than that something was not found', () => {
  assert.equal(refusal(404, { message: 'Not Found' }).message, WORDS.byStatus[404]);
});

test('what went wrong in our own code shows no details', () => {
  assert.equal(sentence(new TypeError('x is undefined')), WORDS.broken);
});
