/** What every tab of the access page is given. */
import type { Client } from '../client.js';
import type { Me, Standings } from '../me.js';

export interface Desk {
  client: Client;
  standings: Standings;
  me: Me;
  /** Ask once more before something that reaches many or cannot be taken back. */
  sure: (title: string, sentence: string, yes: string) => Promise<boolean>;
}

/** One tab. */
export interface Tab {
  /** In the address after `#`. */
  id: string;
  title: string;
  /** Whether it has anything for this person. */
  shown: (desk: Desk) => boolean;
  draw: (desk: Desk) => HTMLElement;
}
