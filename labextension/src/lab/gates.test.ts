import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Standing } from '../me.js';
import type { Running, Situation } from './gates.js';
import { GATES, stopAll } from './gates.js';

/** What refuses `refused`, each with the action as its reason, and allows all else. */
const standing = (...refused: string[]): Standing => ({
  level: null,
  owner: null,
  actions: Object.fromEntries(
    [
      'launch',
      'open',
      'save',
      'create',
      'run',
      'run_saved',
      'interrupt',
      'restart',
      'stop',
      'debug',
      'administer'
    ].map(each => [
      each,
      refused.includes(each) ? { allowed: false, reason: each } : { allowed: true }
    ])
  )
});
const running = (of: Standing, paths: string[] = [], unused = false): Running => ({
  standing: of,
  paths,
  unused
});
const VIEWED = standing('launch', 'save', 'create', 'run', 'run_saved', 'interrupt', 'restart');

const at = (more: Partial<Situation> = {}): Situation => ({
  front: 'a',
  file: standing(),
  kernel: standing(),
  hasKernel: true,
  running: () => new Map(),
  pointed: () => null,
  selected: [],
  selectedPaths: [],
  around: standing(),
  folder: standing(),
  server: standing(),
  terminals: undefined,
  ...more
});
const MINE = running(standing(), ['mine.ipynb'], true);
const THEIRS = running(standing('stop', 'run'), ['theirs.ipynb']);
const both = { running: () => new Map([['m', MINE]]) };
const mixed = {
  running: () =>
    new Map([
      ['m', MINE],
      ['t', THEIRS]
    ])
};

type Case = [string, string, Situation, object, string | null];
const cases: Case[] = [
  ['one may end all that is one’s own', 'kernelmenu:shutdownAll', at(both), {}, null],
  ['not all, where one of them may not be ended', 'kernelmenu:shutdownAll', at(mixed), {}, 'stop'],
  [
    'those that nobody uses, where another is used',
    'running:kernel-shut-down-unused',
    at(mixed),
    {},
    null
  ],
  [
    'the kernel of a file that is selected',
    'filebrowser:shutdown',
    at({ ...mixed, selectedPaths: ['theirs.ipynb'] }),
    {},
    'stop'
  ],
  [
    'not that of another file',
    'filebrowser:shutdown',
    at({ ...mixed, selectedPaths: ['mine.ipynb'] }),
    {},
    null
  ],
  ['a kernel by its id', 'running:kernel-shut-down', at(mixed), { id: 't' }, 'stop'],
  ['another by its id', 'running:kernel-shut-down', at(mixed), { id: 'm' }, null],
  [
    'the kernel that is pointed at',
    'running:kernel-new-console',
    at({ ...mixed, pointed: () => 't' }),
    {},
    'run'
  ],
  ['nothing is pointed at', 'running:kernel-new-console', at(mixed), {}, null],
  [
    'without a kernel one would have to be started',
    'kernelmenu:restart',
    at({ file: VIEWED, hasKernel: false }),
    {},
    'launch'
  ],
  [
    'without a kernel there is nothing to end',
    'filemenu:close-and-cleanup',
    at({ file: VIEWED, hasKernel: false }),
    {},
    null
  ],
  [
    'who may look only deletes no cell',
    'notebook:delete-cell',
    at({ file: VIEWED, kernel: VIEWED }),
    {},
    'save'
  ],
  [
    'who may run what is typed adds a cell to try',
    'notebook:insert-cell-below',
    at({ file: standing('save') }),
    {},
    null
  ],
  [
    'nor does she take back what was done to a cell',
    'notebook:undo-cell-action',
    at({ file: VIEWED, kernel: VIEWED }),
    {},
    'save'
  ],
  [
    'a menu clears no output that stays in the file',
    'editmenu:clear-all',
    at({ file: VIEWED, kernel: VIEWED }),
    {},
    'save'
  ],
  [
    'a menu puts nothing into a text that takes nothing by the keyboard',
    'fileeditor:paste',
    at({ file: VIEWED, kernel: undefined, hasKernel: false }),
    {},
    'save'
  ],
  [
    'code of a file is run in a console, as what is typed there',
    'fileeditor:run-code',
    at({ file: VIEWED, hasKernel: false }),
    {},
    'launch'
  ],
  [
    'a console takes more than what is saved',
    'notebook:run-in-console',
    at({ kernel: standing('run') }),
    {},
    'run'
  ],
  [
    'the debugger is the kernel’s',
    'debugger:next',
    at({ kernel: standing('debug') }),
    {},
    'debug'
  ],
  ['a heading’s cells are run', 'toc:run-cells', at({ kernel: VIEWED }), {}, 'run'],
  [
    'another kernel is started for a console',
    'console:change-kernel',
    at({ folder: standing('launch') }),
    {},
    'launch'
  ],
  [
    'what is installed is for who administers the server',
    'extensionmanager:show-panel',
    at({ server: standing('administer') }),
    {},
    'administer'
  ],
  ['what is not known is not refused', 'notebook:delete-cell', at({ file: null }), {}, null]
];

for (const [name, id, situation, args, expected] of cases) {
  test(`${id}: ${name}`, () => {
    assert.equal(GATES[id]?.(situation, args as Record<string, string>), expected);
  });
}

test('all kernels, also those without a document', () => {
  const bare = new Map([['t', running(standing('stop'))]]);
  assert.equal(stopAll(at({ running: () => bare })), 'stop');
  assert.equal(GATES['kernelmenu:shutdownAll']?.(at({ running: () => bare })), null);
});
