/** Which right each command of the front end needs: what is refused is grey, with the reason. */
import type { Standing } from '../me.js';
import { refusedBecause } from '../me.js';

/** What the commands of a front end are about at this moment. */
export interface Situation {
  /** What is in front, by an id of its own. */
  front: string | null;
  /** The document in front, and its kernel. */
  file: Standing | null | undefined;
  kernel: Standing | null | undefined;
  /** Whether a kernel runs for it. */
  hasKernel: boolean;
  /** What is selected in the file browser. */
  selected: readonly (Standing | null | undefined)[];
  /** The folder in which the document in front is. */
  around: Standing | null | undefined;
  /** The folder that the file browser shows. */
  folder: Standing | null | undefined;
  /** The server itself. */
  server: Standing | null | undefined;
  /** Terminals. */
  terminals: Record<string, { allowed: boolean; reason?: string }> | undefined;
}

type Gate = (at: Situation) => string | null;

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
const run: Gate = at =>
  at.hasKernel ? refusedBecause(at.kernel, 'run', 'run_saved') : refusedBecause(at.file, 'launch');
const kernel =
  (...actions: string[]): Gate =>
  at =>
    at.hasKernel ? refusedBecause(at.kernel, ...actions) : null;
const both =
  (...gates: Gate[]): Gate =>
  at => {
    for (const gate of gates) {
      const reason = gate(at);
      if (reason !== null) {
        return reason;
      }
    }
    return null;
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
const restartAndRun = both(kernel('restart'), run);
const create = folder('create');
const duplicate: Gate = at => refusedBecause(at.around, 'create');

/** By id of the command. Not in here: whatever only reads, and whatever the server alone can tell. */
export const GATES: Readonly<Record<string, Gate>> = {
  'filemenu:shutdown': at => refusedBecause(at.server, 'administer'),
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
  'filebrowser:paste': create,
  'filebrowser:duplicate': create,
  'filebrowser:rename': selected('rename'),
  'filebrowser:cut': selected('rename'),
  'filebrowser:delete': selected('delete'),
  'filebrowser:download': selected('download'),
  'filebrowser:copy-download-link': selected('download'),
  'notebook:trust': file('trust'),
  'notebook:export-to-format': file('export'),
  'notebook:run-cell': run,
  'notebook:run-cell-and-select-next': run,
  'notebook:run-cell-and-insert-below': run,
  'notebook:run-all-cells': run,
  'notebook:run-all-above': run,
  'notebook:run-all-below': run,
  'notebook:run-in-console': run,
  'runmenu:run': run,
  'runmenu:run-all': run,
  'runmenu:run-above': run,
  'runmenu:run-below': run,
  'runmenu:restart-and-run-all': restartAndRun,
  'notebook:restart-run-all': restartAndRun,
  'notebook:restart-and-run-to-selected': restartAndRun,
  'notebook:restart-kernel': kernel('restart'),
  'notebook:restart-clear-output': kernel('restart'),
  'kernelmenu:restart': kernel('restart'),
  'kernelmenu:restart-and-clear': kernel('restart'),
  'notebook:interrupt-kernel': kernel('interrupt'),
  'kernelmenu:interrupt': kernel('interrupt'),
  'notebook:shutdown-kernel': kernel('stop'),
  'notebook:close-and-shutdown': kernel('stop'),
  'notebook:close-and-halt': kernel('stop'),
  'filemenu:close-and-cleanup': kernel('stop'),
  'kernelmenu:shutdown': kernel('stop'),
  'notebook:change-kernel': file('launch'),
  'kernelmenu:change': file('launch'),
  'filemenu:create-console': typing('file'),
  'notebook:create-console': typing('file'),
  'notebook:create-subshell-console': kernel('debug'),
  'scratchpad-console:open': typing('file'),
  'fileeditor:create-console': typing('file'),
  'console:create': typing('folder'),
  'terminal:create-new': terminals,
  'terminal:open-folder-in-terminal': terminals
};
