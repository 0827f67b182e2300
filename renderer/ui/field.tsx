import type { ReactNode, Ref } from 'react';
import { FieldError, Input, Label, Text, TextArea, TextField } from 'react-aria-components';
import styles from './field.module.css';

interface Props {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: ReactNode;
  /** What is wrong with the value. */
  readonly problem?: string | undefined;
  readonly type?: 'text' | 'password';
  readonly autoComplete?: string;
  readonly inputRef?: Ref<HTMLInputElement>;
  /** While what was typed is looked at: the field keeps the focus. */
  readonly isReadOnly?: boolean;
  readonly placeholder?: string;
  readonly isLong?: boolean;
}

/** A labelled field of a form, with what is said about it below. */
export function Field(props: Props) {
  const {
    label,
    value,
    onChange,
    hint,
    problem,
    type = 'text',
    autoComplete = 'off',
    inputRef,
    isLong = false,
  } = props;
  const { isReadOnly = false, placeholder } = props;
  return (
    <TextField
      className={styles.field ?? ''}
      value={value}
      onChange={onChange}
      isInvalid={problem !== undefined}
      isReadOnly={isReadOnly}
      type={type}
      autoComplete={autoComplete}
    >
      <Label className={styles.label ?? ''}>{label}</Label>
      {isLong ? (
        <TextArea className={styles.input ?? ''} rows={3} />
      ) : (
        <Input
          ref={inputRef ?? null}
          className={styles.input ?? ''}
          autoCapitalize="off"
          spellCheck={false}
          {...(placeholder === undefined ? {} : { placeholder })}
        />
      )}
      {problem === undefined && hint !== undefined && (
        <Text slot="description" className={styles.hint ?? ''}>
          {hint}
        </Text>
      )}
      {problem !== undefined && <FieldError className={styles.problem ?? ''}>{problem}</FieldError>}
    </TextField>
  );
}
