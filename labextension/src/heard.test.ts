import assert from 'node:assert/strict';
import test from 'node:test';
import { Heard, refusalIn } from './heard.js';

test('of an answer only a sentence with the id of its decision is a refusal', () => {
  const said = { message: 'You cannot.', decision_id: 'd1' };
  assert.deepEqual(refusalIn({ ...said, more: 1 }), { message: 'You cannot.', decision: 'd1' });
  for (const other of [
    null,
    undefined,
    'You cannot.',
    [],
    {},
    { ...said, message: '' },
    { ...said, message: 1 },
    { ...said, decision_id: null },
    { message: 'You cannot.' }
  ]) {
    assert.equal(refusalIn(other), null);
  }
});

test('what is found in a text is the last refusal with its sentence, of the last twenty', () => {
  const heard = new Heard();
  heard.note({ message: 'You cannot.', decision: 'd1' });
  heard.note({ message: 'You cannot.', decision: 'd2' });
  assert.equal(heard.find('Error: You cannot. OK')?.decision, 'd2');
  assert.equal(heard.find('You can.'), undefined);
  assert.equal(heard.find(null), undefined);
  for (let n = 0; n < 20; n += 1) {
    heard.note({ message: `Not ${n}.`, decision: `n${n}` });
  }
  assert.equal(heard.find('You cannot.'), undefined);
});

test('what would be refused is found until it is, and never in the place of what was', () => {
  const heard = new Heard();
  const asked = { action: 'launch', resource: 'contents:/a.ipynb' };
  heard.expect({ message: 'You cannot.', decision: null, asked });
  assert.deepEqual(heard.find('You cannot.')?.asked, asked);
  heard.note({ message: 'You cannot.', decision: 'd1' });
  heard.expect({ message: 'You cannot.', decision: null, asked });
  assert.equal(heard.find('You cannot.')?.decision, 'd1');
});
