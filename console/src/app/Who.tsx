/** Who is signed in, and the way out. */
import { ActionIcon, Menu } from "@mantine/core";
import { IconLogout, IconUser } from "@tabler/icons-react";
import { client, take } from "../api/client";
import { queryClient, useSession } from "../api/queries";
import { sayFailed } from "../parts/notices";

export default function Who() {
  const session = useSession();
  const signOut = async () => {
    try {
      await take(client.DELETE("/api/v1/session"));
      await queryClient.resetQueries();
    } catch (error) {
      sayFailed(error);
    }
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Signed in as ${session.data?.user ?? ""}`}>
          <IconUser size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Signed in as {session.data?.user}</Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
