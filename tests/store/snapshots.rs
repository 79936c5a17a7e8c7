//! Snapshots: those that arrive from others, and those that a bank makes itself.

use super::*;

#[test]
fn an_arriving_snapshot_becomes_the_snapshot_and_the_journal_below_it_is_dropped() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store
            .write(&(1..=2).map(|counter| Change::Replayed(entry(counter))).collect::<Vec<_>>())
            .unwrap();
        // Held, and neither executed here nor in the snapshot: it never existed.
        store.write(&[Change::Append(held(4)), Change::Append(held(9))]).unwrap();
        let (head, pieces) = snapshot(5);
        store.write(&pieces[..2]).unwrap();
        drop(store);

        let mut store = shelf.open();
        assert_eq!(store.remembered().unwrap().arriving, Some((head.clone(), 2)));
        assert_eq!(store.arriving_piece(1).unwrap().unwrap().text, "two\n");
        assert_eq!(store.arriving_piece(2).unwrap(), None);
        // One piece comes twice, and one too early: neither does harm.
        store
            .write(&[pieces[0].clone(), pieces[2].clone(), Change::SnapshotComplete(head.clone())])
            .unwrap();
        store.write(&[Change::Replayed(entry(6))]).unwrap();
        drop(store);

        let mut store = shelf.open();
        let Remembered { arriving, snapshot, .. } = store.remembered().unwrap();
        assert_eq!((arriving, snapshot), (None, Some(head.clone())));
        assert_eq!(
            store.snapshot_piece(2).unwrap(),
            Some(SnapshotPiece { head, index: 2, text: "three\n".into() })
        );
        assert_eq!(store.snapshot_piece(3).unwrap(), None);
        assert_eq!(contents(&mut store).unwrap(), (vec![5, 6], vec![held(9).event.order_key()]));
        assert_eq!(store.journal_starts_after().unwrap(), Position(5));
        assert_eq!(store.hash_at(Position(5)).unwrap(), Some(mark(5).hash));
        assert_eq!(store.hash_at(Position(2)).unwrap(), None);
        assert_eq!(store.executed_after(Position(5), usize::MAX).unwrap().len(), 1);
    });
}

#[test]
fn the_first_piece_of_another_snapshot_discards_the_pieces_before() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        let ((first, old), (second, new)) = (snapshot(5), snapshot(6));
        store.write(&old).unwrap();
        store.write(&new[..1]).unwrap();
        assert_eq!(store.remembered().unwrap().arriving, Some((second.clone(), 1)));
        let error = store.write(&[Change::SnapshotComplete(first)]).unwrap_err();
        assert!(
            matches!(error, StoreError::Failed { .. }),
            "nobody may announce what is not here: {error}"
        );
        drop(store);
        let mut store = shelf.open();
        store.write(&new[1..]).unwrap();
        store.write(&[Change::SnapshotComplete(second.clone())]).unwrap();
        assert_eq!(store.remembered().unwrap().snapshot, Some(second));
    });
}

#[test]
fn a_banks_own_snapshot_leaves_the_journal_which_is_then_dropped_bit_by_bit() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        let count = 2 * DROP_EVENTS_MAX as u64;
        store
            .write(&(1..=count).map(|counter| Change::Replayed(entry(counter))).collect::<Vec<_>>())
            .unwrap();
        store.write(&[Change::Append(held(count + 1))]).unwrap();
        let (head, pieces) = snapshot(count);
        let mut changes: Vec<_> = pieces.into_iter().map(own).collect();
        changes.push(Change::SnapshotMade(head));
        store.write(&changes).unwrap();
        assert_eq!(store.journal_starts_after().unwrap(), Position(0));
        let through = Position(count - 10);
        store.write(&[Change::DropJournal { through }]).unwrap();
        assert_eq!(store.journal_starts_after().unwrap(), Position(DROP_EVENTS_MAX as u64));
        store.write(&[Change::DropJournal { through }, Change::DropJournal { through }]).unwrap();
        drop(store);

        let mut store = shelf.open();
        assert_eq!(store.journal_starts_after().unwrap(), through);
        assert_eq!(store.hash_at(through).unwrap(), Some(mark(through.0).hash));
        assert_eq!(
            store.executed_after(through, usize::MAX).unwrap().len(),
            10,
            "for banks that were away for a moment"
        );
        assert_eq!(
            contents(&mut store).unwrap(),
            (vec![count], vec![held(count + 1).event.order_key()])
        );
    });
}

#[test]
fn pieces_that_have_not_changed_are_taken_over_and_those_of_earlier_snapshots_go_bit_by_bit() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        let entries: Vec<_> = (1..=9).map(|counter| Change::Replayed(entry(counter))).collect();
        store.write(&entries).unwrap();
        let (first, pieces) = snapshot(5);
        store.write(&pieces.into_iter().map(own).collect::<Vec<_>>()).unwrap();
        // What was written and is not announced is no snapshot that arrives.
        assert_eq!(store.remembered().unwrap().arriving, None);
        store.write(&[Change::SnapshotMade(first)]).unwrap();
        let last = held(9).event.order_key();
        let executed = store.remembered().unwrap().snapshot.unwrap().executed;
        let mut head =
            SnapshotHead::begun(Position(9), mark(9).hash, Executions { last, ..executed });
        let mut changes = Vec::new();
        for (of, text) in [(2, "three\n"), (0, "one\n")] {
            let (begun, index, text) = (head.as_begun(), head.pieces, digest_of(text));
            changes.push(Change::SamePiece { head: begun, index, of, text });
            head.count(text);
        }
        changes.push(Change::SnapshotPiece(head.next_piece("four\n".into()).0));
        changes.push(Change::SnapshotMade(head.clone()));
        store.write(&changes).unwrap();
        drop(store);
        let mut store = shelf.open();
        let text = |store: &mut Box<dyn Disk>, index| {
            store.snapshot_piece(index).unwrap().map(|piece| piece.text)
        };
        let texts: Vec<_> = (0..).map_while(|index| text(&mut store, index)).collect();
        assert_eq!(texts, ["three\n", "one\n", "four\n"]);
        assert!(head.covers(&texts));
        // A piece that nobody has written cannot be taken over.
        let gone = Change::SamePiece { head: head.as_begun(), index: 0, of: 7, text: head.digest };
        assert!(store.write(&[gone]).is_err());
    });
}

#[test]
fn a_damaged_piece_is_noticed() {
    everywhere(|shelf| {
        for installed in [false, true] {
            let shelf = &shelf.another();
            let mut store = shelf.open();
            let (head, pieces) = snapshot(5);
            store.write(&pieces).unwrap();
            if installed {
                store.write(&[Change::SnapshotComplete(head)]).unwrap();
            }
            drop(store);
            shelf.meddle("UPDATE pieces SET text = 'four' WHERE place = 1");
            let error = contents(&mut shelf.open()).unwrap_err();
            assert!(error.to_string().contains("piece 1 of the snapshot of 5"), "{error}");
        }
    });
}
