/** Whether the server has ended a kernel: it records that for whoever owns the kernel. */
import type { Client, Page } from './client.js';
import { Refused } from './client.js';

interface Stopped {
  process?: string;
}

/** As many as a single change ends; the newest come first. */
const LOOKED_AT = 100;

/** Whether the kernel of `person` was ended by a change of rights. */
export async function wasEnded(
  client: Client,
  person: string,
  kernelId: string
): Promise<boolean> {
  try {
    const query = { kind: 'stopped', person, limit: LOOKED_AT };
    const { items } = await client.get<Page<Stopped>>('audit', query);
    return items.some(each => each.process === `kernels:${kernelId}`);
  } catch (error) {
    if (error instanceof Refused) {
      return false;
    }
    throw error;
  }
}

/** Statuses of a kernel, in the words of JupyterLab, that can mean that it was ended. */
export const OVER: ReadonlySet<string> = new Set(['dead', 'terminating']);
