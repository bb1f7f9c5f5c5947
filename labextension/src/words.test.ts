import assert from 'node:assert/strict';
import { test } from 'node:test';
import { badgeWord, brief, canSentence, WORDS } from './words.js';

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
