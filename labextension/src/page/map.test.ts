import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABILITIES } from '../vocabulary.js';
import { highest } from './map.js';

const actions = ABILITIES.filter(each => each.type === 'contents');

test('a level is held only with all of its actions, and with those of the levels below it', () => {
  const upTo = (...levels: string[]): boolean[] =>
    actions.map(each => levels.includes(each.level));
  const all = actions.map(() => true);
  assert.equal(highest(upTo(), false), null);
  assert.equal(highest(upTo('viewer'), true), 'viewer');
  assert.equal(highest(all, true), 'admin');
  assert.equal(highest(all, false), 'manager');
  assert.equal(highest(upTo('viewer'), false), 'viewer');
  assert.equal(highest(upTo('viewer', 'runner', 'editor'), false), 'editor');
  assert.equal(highest(upTo('runner', 'editor'), false), null);
  assert.equal(
    highest(
      actions.map(each => each.action !== 'save'),
      false
    ),
    'runner'
  );
});
