import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badgeWord, brief, canSentence, ofText, thing, whole, WORDS } from './words.js';

const all = { view: true, edit: true, run: true, runSaved: true };

const cases: [Partial<typeof all>, string, string][] = [
  [{}, 'can edit, can run', 'Editing'],
  [{ run: false, runSaved: false }, "can edit, can't run", 'Editing, not running'],
  [{ edit: false }, "can run, can't edit", 'Running, not saving'],
  [{ edit: false, run: false }, "can run saved cells, can't edit", 'Running only'],
  [{ edit: false, run: false, runSaved: false }, 'can view', 'Viewing'],
  [{ view: false, edit: false, run: false, runSaved: false }, 'no access', 'No access']
];

for (const [less, sentence, word] of cases) {
  test(`who has ${JSON.stringify(less)} reads "${sentence}" and "${word}"`, () => {
    assert.equal(canSentence({ ...all, ...less }), sentence);
    assert.equal(badgeWord({ ...all, ...less }), word);
  });
}

const texts: [Partial<typeof all>, string, string][] = [
  [{}, 'can edit', 'Editing'],
  [{ run: false, runSaved: false }, 'can edit', 'Editing'],
  [{ edit: false, run: false }, 'can view', 'Viewing'],
  [{ view: false, edit: false, run: false, runSaved: false }, 'no access', 'No access']
];

for (const [less, sentence, word] of texts) {
  test(`of a text who has ${JSON.stringify(less)} reads "${sentence}" and "${word}"`, () => {
    assert.equal(canSentence(ofText({ ...all, ...less })), sentence);
    assert.equal(badgeWord(ofText({ ...all, ...less })), word);
  });
}

for (const name of ['a.ipynb', `${'é'.repeat(125)}.ipynb`, '😀'.repeat(60), '👩‍👩‍👧'.repeat(9), '']) {
  test(`a notice about a name of ${name.length} that begins ${name.slice(0, 8)} fits`, () => {
    for (const notice of [
      WORDS.gone,
      WORDS.lowered,
      WORDS.raised,
      WORDS.stopped,
      WORDS.ended,
      WORDS.endedTheirs,
      WORDS.lacks
    ]) {
      assert.ok(notice(brief(name)).length <= 140);
    }
    const [first = '', last = first] = brief(name).split('…');
    assert.ok(name.startsWith(first) && name.endsWith(last));
    assert.doesNotMatch(brief(name), /[\ud800-\udbff](?![\udc00-\udfff])/);
  });
}

const things: [string, string][] = [
  ['contents:/team/a: b.txt', 'team/a: b.txt'],
  ['contents:/', 'the top folder'],
  ['server:', 'this server'],
  ['kernels:4711', 'this kernel'],
  ['widgets:1', 'widgets:1']
];

for (const [resource, called] of things) {
  test(`${resource} is called "${called}"`, () => {
    assert.equal(thing(resource), called);
  });
}

test('what the server says becomes a sentence, once', () => {
  assert.deepEqual(['no rule', 'It is.', ''].map(whole), ['No rule.', 'It is.', '']);
});
