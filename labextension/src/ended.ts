/** Whether a change of rights has ended a kernel, as the server says it to whoever looked on. */
import type { Client } from './client.js';
import { Refused } from './client.js';
import type { Me } from './me.js';
import { WORDS } from './words.js';

/** Milliseconds between two looks: a page may hear of a change before the kernel has ended. */
const PAUSES: readonly number[] = [500, 1000, 2000, 4000, 8000, 16_000];

/** What to tell of the end of the kernel `kernelId` of the document called `name`; null where it
 * has ended otherwise, as far as the server says within seconds. */
export async function endOf(
  client: Client,
  kernelId: string,
  name: string,
  pauses: readonly number[] = PAUSES
): Promise<string | null> {
  const resource = `kernels:${kernelId}`;
  try {
    for (const pause of [0, ...pauses]) {
      await new Promise(resolve => setTimeout(resolve, pause));
      const me = await client.get<Me>('me', { resource });
      const ended = me.resources[resource]?.ended ?? null;
      if (ended !== null) {
        return ended === 'mine' ? WORDS.ended(name) : WORDS.endedTheirs(name);
      }
    }
    return null;
  } catch (error) {
    if (error instanceof Refused) {
      return null;
    }
    throw error;
  }
}

/** Statuses of a kernel, in the words of JupyterLab, that can mean that it was ended. */
export const OVER: ReadonlySet<string> = new Set(['dead', 'terminating']);
