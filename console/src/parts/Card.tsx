/** A surface with a heading. */
import { Group, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import classes from "./Card.module.css";

interface CardProps {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  flush?: boolean;
}

/** `flush`: the content reaches the edges, for tables. */
export function Card({ title, actions, children, flush = false }: CardProps) {
  const id = useId();
  return (
    <section className={classes.card} aria-labelledby={title ? id : undefined}>
      {title && (
        <Group justify="space-between" className={classes.head}>
          <Title order={2} id={id}>
            {title}
          </Title>
          <Group gap="xs" className={classes.actions}>{actions}</Group>
        </Group>
      )}
      <div className={flush ? classes.flush : classes.body}>{children}</div>
    </section>
  );
}
