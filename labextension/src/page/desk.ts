/** What every tab of the access page is given. */
import type { Client } from '../client.js';
import type { Me, Standings } from '../me.js';

export interface Desk {
  client: Client;
  standings: Standings;
  me: Me;
  /** Ask once more before something that reaches many or cannot be taken back. */
  sure: (title: string, sentence: string, yes: string) => Promise<boolean>;
  /** Open another tab, called as an address calls it. */
  go: (at: string) => void;
}

/** One tab. */
export interface Tab {
  /** In the address after `#`, up to a slash. */
  id: string;
  title: string;
  /** Whether it has anything for this person. */
  shown: (desk: Desk) => boolean;
  /** `at` is what the address says beyond the tab, such as a resource to share. */
  draw: (desk: Desk, at: string) => HTMLElement;
}
