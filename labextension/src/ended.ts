/** Whether the server has ended a kernel: it records that for whoever owns the kernel. */
import type { Client, Page } from './client.js';
import { Refused } from './client.js';

interface Stopped {
  process?: string;
}

/** As many as a single change ends; the newest come first. */
const LOOKED_AT = 100;

/** Milliseconds between two looks: a page may hear of a change before the kernel has ended. */
const PAUSES: readonly number[] = [500, 1000, 2000, 4000];

/** Whether the kernel of `person` was ended by a change of rights, or is so within seconds. */
export async function wasEnded(
  client: Client,
  person: string,
  kernelId: string,
  pauses: readonly number[] = PAUSES
): Promise<boolean> {
  const query = { kind: 'stopped', person, limit: LOOKED_AT };
  try {
    for (const pause of [0, ...pauses]) {
      await new Promise(resolve => setTimeout(resolve, pause));
      const { items } = await client.get<Page<Stopped>>('audit', query);
      if (items.some(each => each.process === `kernels:${kernelId}`)) {
        return true;
      }
    }
    return false;
  } catch (error) {
    if (error instanceof Refused) {
      return false;
    }
    throw error;
  }
}

/** Statuses of a kernel, in the words of JupyterLab, that can mean that it was ended. */
export const OVER: ReadonlySet<string> = new Set(['dead', 'terminating']);
