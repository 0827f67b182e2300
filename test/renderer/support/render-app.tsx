import { cleanup, configure, render, screen } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { AppProvider } from '../../../renderer/app-context.tsx';
import { App } from '../../../renderer/app.tsx';
import { BridgeClient } from '../../../renderer/bridge/client.ts';
import { Remote } from '../../../renderer/bridge/state.ts';
import { TextProvider } from '../../../renderer/i18n/text.tsx';
import { createScreenStore } from '../../../renderer/screen-state.ts';
import { ScriptedHost, type Script } from '../../support/scripted-host.ts';
import { LoopTransport } from './loop.ts';

/** A busy machine is no reason to fail: what is waited for comes, or the test runs out of its own time. */
configure({ asyncUtilTimeout: 20_000 });

/** The whole application in the test's document, on a scripted engine. */
export async function renderApp(script: Partial<Script> = {}, prepare: (host: ScriptedHost) => void = () => undefined) {
  cleanup();
  const host = new ScriptedHost({}, script);
  prepare(host);
  const transport = new LoopTransport(host);
  const user = userEvent.setup();
  render(
    <TextProvider>
      <AppProvider remote={new Remote(new BridgeClient(transport))} screen={createScreenStore()}>
        <App />
      </AppProvider>
    </TextProvider>,
  );
  await screen.findAllByText(host.storage.state === 'encrypted' ? 'Alice' : /./);
  return { host, transport, user };
}

export async function startConversation(user: ReturnType<typeof userEvent.setup>, address: string) {
  await user.click(screen.getByRole('button', { name: 'New conversation' }));
  await user.type(screen.getByRole('textbox', { name: 'Address' }), `${address}{Enter}`);
  return screen.findByRole('textbox', { name: /^Message to / });
}
