import assert from 'node:assert/strict';
import test from 'node:test';
import { baseUrl } from './jupyter.js';

test('what nbclassic has encoded once more is asked for as the server has it', () => {
  for (const [written, base] of [
    ['/', '/'],
    ['/user/me%40x.org/', '/user/me@x.org/'],
    ['/user/two%2520words/', '/user/two%20words/']
  ]) {
    assert.equal(baseUrl({ baseUrl: written }), base);
  }
  assert.equal(baseUrl({}), '/');
});
