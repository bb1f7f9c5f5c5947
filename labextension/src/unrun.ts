/** What a page says itself to a run that no server answers any more: in the kernel's place, so
 * that the cell ends and shows why. */
import { WORDS } from './words.js';

/** A part of the answer, in the words of the protocol between a front end and a kernel. */
export interface Part {
  channel: 'iopub' | 'shell';
  type: 'status' | 'error' | 'execute_reply';
  content: Record<string, unknown>;
}

/** The whole answer to a run in a kernel whose socket the server has closed with `why`. */
export function unrun(why: string): readonly Part[] {
  const sentence = WORDS.notRun(why);
  const error = { ename: 'NotAllowed', evalue: sentence, traceback: [sentence] };
  const status = (state: string): Part => ({
    channel: 'iopub',
    type: 'status',
    content: { execution_state: state }
  });
  return [
    status('busy'),
    { channel: 'iopub', type: 'error', content: error },
    {
      channel: 'shell',
      type: 'execute_reply',
      content: {
        status: 'error',
        ...error,
        execution_count: null,
        user_expressions: {},
        payload: []
      }
    },
    status('idle')
  ];
}

/** The code of a close that the server means for good, with its reason; others have none. */
export const FINAL = 1000;
