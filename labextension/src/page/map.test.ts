import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABILITIES } from '../vocabulary.js';
import { highest } from './map.js';

const actions = ABILITIES.filter(each => each.type === 'contents');

test('a level is held only with all of its actions, and with those of the levels below it', () => {
  const upTo = (...levels: string[]): boolean[] =>
    actions.map(each => levels.includes(each.level));
  assert.equal(highest(upTo()), null);
  assert.equal(highest(upTo('viewer')), 'viewer');
  assert.equal(highest(upTo('viewer', 'runner', 'editor')), 'editor');
  assert.equal(highest(upTo('runner', 'editor')), null);
  assert.equal(highest(actions.map(each => each.action !== 'save')), 'runner');
});
