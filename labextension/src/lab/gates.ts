/** Which right each command of the front end needs: what is refused is grey, with the reason. */
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Standing } from '../me.js';
import { refusedBecause } from '../me.js';
import { canOf, isFrozen } from './rights.js';

/** A kernel that runs, as far as I see. */
export interface Running {
  standing: Standing | null | undefined;
  /** Whether no page is connected to it. */
  unused: boolean;
  /** The paths of the documents and consoles that it runs for. */
  paths: readonly string[];
}

/** What the commands of a front end are about at this moment. */
export interface Situation {
  /** What is in front, by an id of its own. */
  front: string | null;
  /** The document in front, and its kernel. */
  file: Standing | null | undefined;
  kernel: Standing | null | undefined;
  /** Whether a kernel runs for it. */
  hasKernel: boolean;
  /** Every kernel, by its id, and the one whose entry in the list of them was pointed at. */
  running: () => ReadonlyMap<string, Running>;
  pointed: () => string | null;
  /** What is selected in the file browser, and the path of each. */
  selected: readonly (Standing | null | undefined)[];
  selectedPaths: readonly string[];
  /** The folder in which the document in front is. */
  around: Standing | null | undefined;
  /** The folder that the file browser shows. */
  folder: Standing | null | undefined;
  /** The server itself. */
  server: Standing | null | undefined;
  /** Terminals. */
  terminals: Record<string, { allowed: boolean; reason?: string }> | undefined;
}

type Arguments = ReadonlyPartialJSONObject | undefined;
type Gate = (at: Situation, args?: Arguments) => string | null;

const file =
  (...actions: string[]): Gate =>
  at =>
    refusedBecause(at.file, ...actions);
const selected =
  (...actions: string[]): Gate =>
  at => {
    for (const each of at.selected) {
      const reason = refusedBecause(each, ...actions);
      if (reason !== null) {
        return reason;
      }
    }
    return null;
  };
const folder =
  (...actions: string[]): Gate =>
  at =>
    refusedBecause(at.folder, ...actions);
const kernel =
  (...actions: string[]): Gate =>
  at =>
    at.hasKernel ? refusedBecause(at.kernel, ...actions) : null;
/** Where no kernel runs, one would have to be started first. */
const kernelOrNew =
  (...actions: string[]): Gate =>
  at =>
    at.hasKernel ? refusedBecause(at.kernel, ...actions) : refusedBecause(at.file, 'launch');
const run = kernelOrNew('run', 'run_saved');
const both =
  (...gates: Gate[]): Gate =>
  (at, args) => {
    for (const gate of gates) {
      const reason = gate(at, args);
      if (reason !== null) {
        return reason;
      }
    }
    return null;
  };
/** Of several kernels, the first that may not be ended: all of them are, or none. */
const stopping =
  (among: (each: Running, at: Situation) => boolean): Gate =>
  at => {
    for (const each of at.running().values()) {
      const reason = among(each, at) ? refusedBecause(each.standing, 'stop') : null;
      if (reason !== null) {
        return reason;
      }
    }
    return null;
  };
/** Ends every kernel there is; a button has this, and no command. */
export const stopAll: Gate = stopping(() => true);
/** Of the kernel that the command is told, or whose entry it was asked for at. */
const listed =
  (...actions: string[]): Gate =>
  (at, args) => {
    const id = typeof args?.id === 'string' ? args.id : at.pointed();
    return id === null ? null : refusedBecause(at.running().get(id)?.standing, ...actions);
  };
/** What cells there are, and of which kind, is as fixed as their text where that is. */
const cells: Gate = at => {
  const can = at.file ? canOf(at.file, at.kernel ?? null) : null;
  return can && isFrozen(can) ? refusedBecause(at.file, 'save') : null;
};
const terminals: Gate = at => {
  const start = at.terminals?.start;
  return start && !start.allowed ? (start.reason ?? '') : null;
};

/** A console runs what is typed there; without a kernel that is asked of one that would start. */
const typing =
  (place: 'file' | 'folder'): Gate =>
  at => {
    if (place === 'file' && at.hasKernel) {
      return refusedBecause(at.kernel, 'run');
    }
    const own = at[place]?.own_kernel?.run;
    return (
      refusedBecause(at[place], 'launch') ?? (own?.allowed === false ? (own.reason ?? '') : null)
    );
  };
const restartAndRun = both(kernelOrNew('restart'), run);
const create = folder('create');
const duplicate: Gate = at => refusedBecause(at.around, 'create');

/** What changes which cells a notebook has or of which kind they are, or a text; what an editor
 * that takes none is told by a command, it does. */
const CELLS = [
  'cell-toolbar:delete',
  'documentsearch:startWithReplace',
  'editmenu:clear-all',
  'editmenu:clear-current',
  'editmenu:redo',
  'editmenu:undo',
  'fileeditor:cut',
  'fileeditor:paste',
  'fileeditor:redo',
  'fileeditor:replace-selection',
  'fileeditor:undo',
  'notebook:access-next-history-entry',
  'notebook:access-previous-history-entry',
  'notebook:change-cell-to-code',
  'notebook:change-cell-to-heading-1',
  'notebook:change-cell-to-heading-2',
  'notebook:change-cell-to-heading-3',
  'notebook:change-cell-to-heading-4',
  'notebook:change-cell-to-heading-5',
  'notebook:change-cell-to-heading-6',
  'notebook:change-cell-to-markdown',
  'notebook:change-cell-to-raw',
  'notebook:clear-all-cell-outputs',
  'notebook:clear-cell-output',
  'notebook:cut-cell',
  'notebook:cut-selected-text',
  'notebook:delete-cell',
  'notebook:duplicate-below',
  'notebook:insert-cell-above',
  'notebook:insert-cell-below',
  'notebook:insert-heading-above',
  'notebook:insert-heading-below',
  'notebook:merge-cell-above',
  'notebook:merge-cell-below',
  'notebook:merge-cells',
  'notebook:move-cell-down',
  'notebook:move-cell-up',
  'notebook:paste-and-replace-cell',
  'notebook:paste-cell-above',
  'notebook:paste-cell-below',
  'notebook:paste-text',
  'notebook:redo',
  'notebook:redo-cell-action',
  'notebook:replace-selection',
  'notebook:split-cell-at-cursor',
  'notebook:undo',
  'notebook:undo-cell-action'
];

/** What the debugger asks of a kernel; a button starts it, and no command. */
export const debug: Gate = kernel('debug');
const DEBUGGER = [
  'debugger:continue',
  'debugger:copy-to-globals',
  'debugger:evaluate',
  'debugger:inspect-variable',
  'debugger:next',
  'debugger:pause-on-exceptions',
  'debugger:render-mime-variable',
  'debugger:restart-debug',
  'debugger:run-in-console',
  'debugger:stepIn',
  'debugger:stepOut',
  'debugger:terminate'
];
/** What is installed on the server is shown to whoever may change it; which plugins are on is one's own. */
const administer: Gate = at => refusedBecause(at.server, 'administer');

/** By id of the command. Not in here: whatever only reads, and whatever the server alone can tell. */
export const GATES: Readonly<Record<string, Gate>> = {
  'filemenu:shutdown': administer,
  'extensionmanager:show-panel': administer,
  'jupyterlab-translation:install-languages': administer,
  'docmanager:save': file('save'),
  'docmanager:rename': file('rename'),
  'application:rename': file('rename'),
  'docmanager:duplicate': duplicate,
  'application:duplicate': duplicate,
  'docmanager:delete': file('delete'),
  'docmanager:delete-file': file('delete'),
  'docmanager:restore-checkpoint': file('restore'),
  'docmanager:download': file('download'),
  'docmanager:new-untitled': create,
  'notebook:create-new': create,
  'fileeditor:create-new': create,
  'fileeditor:create-new-markdown-file': create,
  'filebrowser:create-new-file': create,
  'filebrowser:create-new-markdown-file': create,
  'filebrowser:create-new-directory': create,
  'filebrowser:open-url': create,
  'filebrowser:paste': create,
  'filebrowser:duplicate': create,
  'filebrowser:rename': selected('rename'),
  'filebrowser:cut': selected('rename'),
  'filebrowser:delete': selected('delete'),
  'filebrowser:download': selected('download'),
  'filebrowser:copy-download-link': selected('download'),
  'notebook:trust': file('trust'),
  'notebook:export-to-format': file('export'),
  ...Object.fromEntries(CELLS.map(id => [id, cells])),
  ...Object.fromEntries(DEBUGGER.map(id => [id, debug])),
  'notebook:run-cell': run,
  'notebook:run-cell-and-select-next': run,
  'notebook:run-cell-and-insert-below': run,
  'notebook:run-all-cells': run,
  'notebook:run-all-above': run,
  'notebook:run-all-below': run,
  'toc:run-cells': run,
  'runmenu:run': run,
  'runmenu:run-all': run,
  'runmenu:run-above': run,
  'runmenu:run-below': run,
  'runmenu:restart-and-run-all': restartAndRun,
  'notebook:restart-run-all': restartAndRun,
  'notebook:restart-and-run-to-selected': restartAndRun,
  'notebook:restart-kernel': kernelOrNew('restart'),
  'notebook:restart-clear-output': kernelOrNew('restart'),
  'kernelmenu:restart': kernelOrNew('restart'),
  'kernelmenu:restart-and-clear': kernelOrNew('restart'),
  'notebook:interrupt-kernel': kernelOrNew('interrupt'),
  'kernelmenu:interrupt': kernelOrNew('interrupt'),
  'notebook:shutdown-kernel': kernel('stop'),
  'notebook:close-and-shutdown': kernel('stop'),
  'notebook:close-and-halt': kernel('stop'),
  'filemenu:close-and-cleanup': kernel('stop'),
  'kernelmenu:shutdown': kernel('stop'),
  'notebook:change-kernel': file('launch'),
  'kernelmenu:change': file('launch'),
  'kernelmenu:shutdownAll': stopping(each => each.paths.length > 0),
  'filebrowser:shutdown': stopping((each, at) =>
    each.paths.some(path => at.selectedPaths.includes(path))
  ),
  'running:kernel-shut-down-unused': stopping(each => each.unused),
  'running:kernel-shut-down': listed('stop'),
  'running:kernel-new-console': listed('run'),
  'running:kernel-new-notebook': both(create, listed('run', 'run_saved')),
  'console:run-forced': kernel('run'),
  'console:run-unforced': kernel('run'),
  'console:interrupt-kernel': kernelOrNew('interrupt'),
  'console:restart-kernel': kernelOrNew('restart'),
  'console:close-and-shutdown': kernel('stop'),
  'console:shutdown': kernel('stop'),
  'console:change-kernel': typing('folder'),
  'filemenu:create-console': typing('file'),
  'notebook:create-console': typing('file'),
  'notebook:create-subshell-console': debug,
  'scratchpad-console:open': typing('file'),
  'fileeditor:create-console': typing('file'),
  'fileeditor:restart-console': kernelOrNew('restart'),
  'fileeditor:run-all': typing('file'),
  'fileeditor:run-code': typing('file'),
  'notebook:run-in-console': typing('file'),
  'console:create': typing('folder'),
  'terminal:create-new': terminals,
  'terminal:open-folder-in-terminal': terminals
};
