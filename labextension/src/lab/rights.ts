/** What I may do with the document of a widget and with its kernel. */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Standing, Standings } from '../me.js';
import { contents } from '../me.js';
import type { Can } from '../words.js';

export interface Rights {
  path: string;
  file: Standing | null;
  kernelId: string | null;
  lacks: boolean;
  can: Can;
}

function allowed(standing: Standing | null, action: string): boolean {
  return standing?.actions[action]?.allowed ?? false;
}

/** What I may do, from what the server says of a file and of its kernel, if one runs. */
export function canOf(file: Standing | null, kernel: Standing | null): Can {
  const launch = allowed(file, 'launch');
  return {
    view: allowed(file, 'open'),
    edit: allowed(file, 'save'),
    // Of a kernel that is not there yet an older server says nothing.
    run: kernel
      ? allowed(kernel, 'run')
      : launch && (file?.own_kernel?.run?.allowed ?? allowed(file, 'save')),
    runSaved: kernel ? allowed(kernel, 'run_saved') : launch
  };
}

/** Whether a notebook's cells take nothing, since it could be neither saved nor run. */
export function isFrozen(can: Can): boolean {
  return !can.edit && !can.run;
}

/** The rights on `context`, asked as one question. */
export async function rightsOf(
  standings: Standings,
  context: DocumentRegistry.Context
): Promise<Rights | null> {
  const path = context.path;
  const kernelId = context.sessionContext.session?.kernel?.id ?? null;
  const [file, kernel] = await Promise.all([
    standings.of(contents(path)),
    kernelId === null ? null : standings.of(`kernels:${kernelId}`)
  ]);
  const lacks = kernel?.more_at_restart === true;
  return file === null ? null : { path, file, kernelId, lacks, can: canOf(file, kernel) };
}
