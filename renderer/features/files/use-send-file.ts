import { useState } from 'react';
import { pickedFile, type PickedFile } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { BridgeCallError } from '../../bridge/client.ts';
import type { ConversationKey } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { makeThumbnail } from './thumbnail.ts';

/** Offers files in a conversation: from the shell's dialog, or those that the user gave to the page. */
export function useSendFile({ accountId, peer }: ConversationKey) {
  const { remote } = useApp();
  const { text } = useTexts();
  const abilities = useRemote((state) => state.files);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  const guarded = async (work: () => Promise<void>): Promise<void> => {
    setProblem(undefined);
    setBusy(true);
    try {
      await work();
    } catch (error) {
      if (error instanceof BridgeCallError)
        setProblem(error.code === 'disconnected' ? text('link.down') : error.message);
      else setProblem(text('file.unreadable'));
    } finally {
      setBusy(false);
    }
  };

  const offer = async ({ token }: PickedFile, icon: string | undefined): Promise<void> => {
    const outcome = await remote.client.call('sendFile', {
      accountId,
      to: peer,
      token,
      ...(icon === undefined ? {} : { icon }),
    });
    if (outcome.outcome === 'refused') setProblem(outcome.refusal.explanation);
  };

  return {
    abilities,
    problem,
    isBusy,
    /** Opens the shell's dialog. */
    choose: () =>
      guarded(async () => {
        const { file } = await remote.client.call('chooseFile', {});
        if (file !== null) await offer(file, undefined);
      }),
    /** Files that the user chose in the page or let fall on it, one after the other. */
    give: (files: readonly File[]) =>
      guarded(async () => {
        for (const file of files) {
          const picked = await handFile(file);
          if (picked === undefined) setProblem(text('file.unreadable'));
          else await offer(picked, await makeThumbnail(file));
        }
      }),
  };
}

/** The desktop shell finds a file of this machine by itself; the console gets its octets. */
export async function handFile(file: File): Promise<PickedFile | undefined> {
  if (window.tessera !== undefined) return (await window.tessera.pickDropped(file)) ?? undefined;
  const answer = await fetch('/files', {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream', 'X-File-Name': encodeURIComponent(file.name) },
    body: file,
  });
  return answer.ok ? pickedFile.parse(await answer.json()) : undefined;
}
