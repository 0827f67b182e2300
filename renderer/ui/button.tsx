import type { ReactNode, Ref } from 'react';
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';
import styles from './button.module.css';
import { classes } from './class-names.ts';

interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  readonly children: ReactNode;
  /** `primary` for the one thing to do here, `plain` beside it, `quiet` for what is rarely needed. */
  readonly look?: 'primary' | 'plain' | 'quiet';
  readonly size?: 'small' | 'normal';
  /** A square button whose name is in `aria-label`. */
  readonly isIcon?: boolean;
  /** What it does is under way: it does nothing more, but keeps the focus, which a disabled one would lose. */
  readonly isBusy?: boolean;
  readonly ref?: Ref<HTMLButtonElement>;
}

export function Button({
  children,
  look = 'plain',
  size = 'normal',
  isIcon = false,
  isBusy = false,
  ...props
}: ButtonProps) {
  const { onPress, ...rest } = props;
  return (
    <AriaButton
      {...rest}
      {...(isBusy ? { 'aria-disabled': true } : onPress === undefined ? {} : { onPress })}
      className={classes(styles.button, styles[look], styles[size], isIcon && styles.icon)}
    >
      {children}
    </AriaButton>
  );
}
