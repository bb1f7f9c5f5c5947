/** What a page says itself to what no server answers any more: in the kernel's place, so that a
 * cell ends and shows why, and whoever waits for anything else waits no longer. */
import { WORDS } from './words.js';

/** A part of an answer, in the words of the protocol between a front end and a kernel. */
export interface Part {
  /** `reply` is the channel on which it was asked. */
  channel: 'iopub' | 'reply';
  type: string;
  content: Record<string, unknown>;
}

const RUN = 'execute_request';
const REQUEST = /_request$/;

/** What front ends read of a reply besides that it failed. */
const OWN: Partial<Record<string, Record<string, unknown>>> = {
  [RUN]: { execution_count: null, user_expressions: {}, payload: [] },
  complete_request: { matches: [], cursor_start: 0, cursor_end: 0, metadata: {} },
  inspect_request: { found: false, data: {}, metadata: {} },
  history_request: { history: [] },
  // Here `status` is the answer itself.
  is_complete_request: { status: 'unknown', indent: '' },
  comm_info_request: { comms: {} },
  debug_request: {
    type: 'response',
    success: false,
    body: { breakpoints: [], stoppedThreads: [] }
  }
};

/** The whole answer to what was asked as `type` in a kernel whose connection the server has closed
 * with `why`; to what the kernel has replied to already, the end of it. */
export function unanswered(type: string, why: string, replied = false): readonly Part[] {
  const isRun = type === RUN;
  const sentence = isRun ? WORDS.notRun(why) : why;
  const error = { ename: 'NotAllowed', evalue: sentence, traceback: [sentence] };
  const said: Part[] = [];
  if (isRun && !replied) {
    said.push({ channel: 'iopub', type: 'error', content: error });
  }
  if (REQUEST.test(type) && !replied) {
    said.push({
      channel: 'reply',
      type: type.replace(REQUEST, '_reply'),
      content: { status: 'error', ...error, message: sentence, ...OWN[type] }
    });
  }
  return [status('busy'), ...said, status('idle')];
}

function status(state: string): Part {
  return { channel: 'iopub', type: 'status', content: { execution_state: state } };
}

/** Whether a page waits for the answer to what it sends as `type`, so that it has to get one. What a
 * kernel is, each new connection asks anew, and would take a failure for its last word. */
export function isAwaited(type: string): boolean {
  return type !== 'kernel_info_request' && type !== 'input_reply';
}

/** The code of a close that the server means for good, with its reason; others have none. */
export const FINAL = 1000;

/** Whether a page that was closed for `why` connects again once its right is there; whoever was
 * sent away or is signed out comes back by their own act. */
export function comesBack(why: string): boolean {
  return why === WORDS.kernelTaken;
}
