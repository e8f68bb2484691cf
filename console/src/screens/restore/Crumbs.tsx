/** The way from the roots to the folder that is shown. */
import { UnstyledButton } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import { crumbs } from "./paths";
import classes from "./Restore.module.css";

export function Crumbs({ roots, path, onPath }: { roots: readonly string[]; path: string; onPath: (path: string) => void }) {
  const way = crumbs(roots, path);
  return (
    <nav className={classes.crumbs} aria-label="Folder">
      {way.map((crumb, number) => (
        <span key={crumb.path} className={classes.name}>
          {number > 0 && <IconChevronRight size={14} aria-hidden />}
          <UnstyledButton
            className={classes.crumb}
            aria-current={number === way.length - 1 ? "page" : undefined}
            title={crumb.title}
            onClick={() => onPath(crumb.path)}
          >
            {crumb.title}
          </UnstyledButton>
        </span>
      ))}
    </nav>
  );
}
