/** A run that the page answers itself, for whoever in the front end waits for its end. */
import type { Kernel } from '@jupyterlab/services';
import { KernelMessage } from '@jupyterlab/services';
import type { Part } from '../unrun.js';
import { unrun } from '../unrun.js';

type Asked = KernelMessage.IShellMessage;
type Hook = (message: KernelMessage.IIOPubMessage) => boolean | PromiseLike<boolean>;

/** As a future of upstream's; nothing was sent, and the answer comes at once. */
export class Unrun implements Kernel.IShellFuture {
  onReply: (message: Asked) => void | PromiseLike<void> = () => undefined;
  onIOPub: (message: KernelMessage.IIOPubMessage) => void | PromiseLike<void> = () => undefined;
  onStdin: (message: KernelMessage.IStdinMessage) => void | PromiseLike<void> = () => undefined;
  readonly done: Promise<Asked>;
  isDisposed = false;
  private readonly hooks = new Set<Hook>();

  /** `why` is the reason for which the server has closed the kernel's connection. */
  constructor(
    readonly msg: Asked,
    why: string
  ) {
    this.done = this.answer(unrun(why));
  }

  registerMessageHook(hook: Hook): void {
    this.hooks.add(hook);
  }

  removeMessageHook(hook: Hook): void {
    this.hooks.delete(hook);
  }

  sendInputReply(): void {
    // Nothing asks for input.
  }

  dispose(): void {
    this.isDisposed = true;
  }

  private async answer(parts: readonly Part[]): Promise<Asked> {
    let reply = this.msg;
    for (const part of parts) {
      // Whoever has asked says only now who listens.
      await Promise.resolve();
      const said = this.message(part);
      if (said.channel === 'shell') {
        reply = said as Asked;
        await this.onReply(reply);
      } else if (await this.passes(said as KernelMessage.IIOPubMessage)) {
        await this.onIOPub(said as KernelMessage.IIOPubMessage);
      }
    }
    return reply;
  }

  private async passes(said: KernelMessage.IIOPubMessage): Promise<boolean> {
    for (const hook of [...this.hooks].reverse()) {
      if (!(await hook(said))) {
        return false;
      }
    }
    return true;
  }

  private message({ channel, type, content }: Part): KernelMessage.IMessage {
    const { session, username } = this.msg.header;
    const made = KernelMessage.createMessage<KernelMessage.IStatusMsg>({
      channel: 'iopub',
      msgType: 'status',
      session,
      username,
      parentHeader: this.msg.header,
      content: { execution_state: 'idle' }
    });
    return {
      ...made,
      header: { ...made.header, msg_type: type },
      channel,
      content
    };
  }
}
