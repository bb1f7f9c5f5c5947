/**
 * JupyterLab's own *Copy Shareable Link* of the file browser.
 *
 * Its name suggests that whoever gets the link can open the file; who can is what grants and
 * rules say, so it is called what it does, and says so.
 */
import type { CommandRegistry } from '@lumino/commands';
import { WORDS } from '../words.js';

const LINK = 'filebrowser:share-main';

/** Have the command say what it does; `copied` is called when it has. */
export function renameLink(commands: CommandRegistry, copied: () => void): void {
  const label = commands.label.bind(commands);
  const caption = commands.caption.bind(commands);
  const execute = commands.execute.bind(commands);
  commands.label = (id, args) => (id === LINK ? WORDS.copyLink : label(id, args));
  commands.caption = (id, args) => (id === LINK ? WORDS.copyHint : caption(id, args));
  commands.execute = async (id, args): Promise<unknown> => {
    const done: unknown = await execute(id, args);
    if (id === LINK) {
      copied();
    }
    return done;
  };
  if (commands.hasCommand(LINK)) {
    commands.notifyCommandChanged(LINK);
  }
}
