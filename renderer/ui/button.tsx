import type { ReactNode } from 'react';
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
}

export function Button({ children, look = 'plain', size = 'normal', isIcon = false, ...props }: ButtonProps) {
  return (
    <AriaButton {...props} className={classes(styles.button, styles[look], styles[size], isIcon && styles.icon)}>
      {children}
    </AriaButton>
  );
}
