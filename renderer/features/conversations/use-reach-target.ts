import { useEffect, type RefObject } from 'react';
import { useApp, useScreen } from '../../app-context.tsx';

/** Brings the message at which a conversation was opened into view, with the focus on it, once it is there. */
export function useReachTarget(
  transcript: RefObject<HTMLElement | null>,
  items: readonly { readonly id: string }[],
): void {
  const { screen } = useApp();
  const target = useScreen((state) => state.target);
  useEffect(() => {
    if (target === undefined || !items.some(({ id }) => id === target)) return;
    const messages = transcript.current?.querySelectorAll<HTMLElement>('[data-message]') ?? [];
    const element = [...messages].find(({ dataset }) => dataset['message'] === target);
    if (element === undefined) return;
    screen.getState().reached();
    element.scrollIntoView({ block: 'center' });
    element.tabIndex = -1;
    element.dataset['found'] = '';
    element.addEventListener('blur', () => delete element.dataset['found'], { once: true });
    element.focus({ preventScroll: true });
  }, [transcript, items, target, screen]);
}
