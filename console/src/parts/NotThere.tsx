/** What one looks for is not there: why that may be, and where to go from here. */
import { Button } from "@mantine/core";
import type { ComponentProps, ReactNode } from "react";
import { Link } from "wouter";
import { Card } from "./Card";
import { Empty } from "./Empty";

interface NotThereProps {
  icon: ComponentProps<typeof Empty>["icon"];
  title: string;
  href: string;
  /** What the link to `href` says. */
  see: string;
  children: ReactNode;
}

export function NotThere({ icon, title, href, see, children }: NotThereProps) {
  const link = (
    <Button component={Link} href={href}>
      {see}
    </Button>
  );
  return (
    <Card>
      <Empty icon={icon} title={title} action={link}>
        {children}
      </Empty>
    </Card>
  );
}
