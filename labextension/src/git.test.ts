import assert from 'node:assert/strict';
import test from 'node:test';
import { isGitAct } from './git.js';

test('an act in the panel of git is what changes something, in whichever folder', () => {
  for (const [method, path] of [
    ['POST', 'git/add?1795766355170'],
    ['POST', 'git/team/add'],
    ['POST', 'git/a/b%20c/branch/delete'],
    ['POST', 'git/team/remote/add'],
    ['DELETE', 'git/team/remote/far'],
    ['DELETE', 'git/team/stash?stash_index=0']
  ] as const) {
    assert.equal(isGitAct(method, path), true, path);
  }
});

test('what the panel asks by itself, and what is of others, is no act in it', () => {
  for (const [method, path] of [
    ['POST', 'git/team/status?1795766355170'],
    ['POST', 'git/team/remote/fetch'],
    ['POST', 'git/add/log'],
    ['GET', 'git/team/stash'],
    ['POST', 'api/contents/git/add'],
    ['DELETE', 'api/contents/git/add']
  ] as const) {
    assert.equal(isGitAct(method, path), false, path);
  }
});
