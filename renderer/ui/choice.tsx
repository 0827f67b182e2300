import { Check, ChevronDown } from 'lucide-react';
import { Button, Label, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import styles from './choice.module.css';

interface Props<Id extends string> {
  readonly label: string;
  readonly value: Id;
  readonly options: readonly { readonly id: Id; readonly name: string }[];
  readonly onChoose: (id: Id) => void;
  readonly isDisabled?: boolean;
}

/** One of several, under a label. */
export function Choice<Id extends string>({ label, value, options, onChoose, isDisabled = false }: Props<Id>) {
  return (
    <Select
      className={styles.choice ?? ''}
      isDisabled={isDisabled}
      value={value}
      onChange={(key) => {
        const chosen = options.find(({ id }) => id === key);
        if (chosen !== undefined && chosen.id !== value) onChoose(chosen.id);
      }}
    >
      <Label className={styles.label ?? ''}>{label}</Label>
      <Button className={styles.button ?? ''}>
        <SelectValue className={styles.value ?? ''}>{options.find(({ id }) => id === value)?.name ?? ''}</SelectValue>
        <ChevronDown size={14} aria-hidden="true" />
      </Button>
      <Popover className={styles.popover ?? ''}>
        <ListBox className={styles.list ?? ''}>
          {options.map(({ id, name }) => (
            <ListBoxItem key={id} id={id} textValue={name} className={styles.option ?? ''}>
              {({ isSelected }) => (
                <>
                  <span className={styles.check}>{isSelected && <Check size={15} aria-hidden="true" />}</span>
                  {name}
                </>
              )}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}
