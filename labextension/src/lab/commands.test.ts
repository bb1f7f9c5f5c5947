import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changed } from './commands.js';

const told = (
  front: string | null,
  reasons: Record<string, string> = {}
): Parameters<typeof changed>[0] => ({
  front,
  reasons: new Map(Object.entries(reasons))
});

const cases: [string, ReturnType<typeof told>, ReturnType<typeof told>, string[]][] = [
  ['what is allowed and was is not told again', told('a'), told('b'), []],
  ['what is refused now is told', told('a'), told('a', { save: 'no' }), ['save']],
  ['what is allowed again is told', told('a', { save: 'no' }), told('a'), ['save']],
  ['another reason is told', told('a', { save: 'no' }), told('a', { save: 'never' }), ['save']],
  ['the same reason is not', told('a', { save: 'no' }), told('a', { save: 'no' }), []],
  [
    'the same reason for another document is: its buttons were drawn before',
    told('a', { save: 'no' }),
    told('b', { save: 'no' }),
    ['save']
  ]
];

for (const [name, before, now, expected] of cases) {
  test(name, () => {
    assert.deepEqual(changed(before, now), expected);
  });
}
