/** The share dialog in JupyterLab and Notebook 7. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { Client } from '../client.js';
import type { Standings } from '../me.js';
import { contents } from '../me.js';
import { FIRST, Share } from '../share.js';
import { WORDS } from '../words.js';
import { dialog } from './about.js';

/** Open it for the file or folder at `path`. */
export async function showShare(
  client: Client,
  standings: Standings,
  path: string
): Promise<void> {
  const share = new Share(client, standings, contents(path), async sentence => {
    const asked = await showDialog({
      title: WORDS.everyoneTitle,
      body: sentence,
      buttons: [
        Dialog.cancelButton({ label: WORDS.cancel }),
        Dialog.warnButton({ label: WORDS.everyoneYes })
      ]
    });
    return asked.button.accept;
  });
  await share.open();
  const name = path.split('/').at(-1);
  await dialog(WORDS.shareTitle(name === undefined || name === '' ? '/' : name), share.node, {
    focus: FIRST
  });
  // A grant may have changed what I may do as well.
  await standings.refresh();
}
