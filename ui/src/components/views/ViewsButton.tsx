import { Suspense, lazy, useState } from "react";
import { useSession } from "../../api/session";
import { t } from "../../strings";
import { IconButton } from "../Icon";

const ViewsDialog = lazy(() => import("./ViewsDialog").then((file) => ({ default: file.ViewsDialog })));

/** The way to what others have saved; the key of it presses this button, too. */
export function ViewsButton() {
  const { data } = useSession();
  const [open, setOpen] = useState(false);
  if (!data?.may.includes("list_views")) return null;
  return (
    <>
      <IconButton name="bookmark" label={t.views.open} className="views-button" onClick={() => setOpen(true)} />
      {open && <Suspense><ViewsDialog may={data.may} onClose={() => setOpen(false)} /></Suspense>}
    </>
  );
}
