"""The generated demo shop: catalogue, pictures, visitors and their history, all from one seed."""

from app.demo.catalogue import generate_catalogue
from app.demo.history import generate_history
from app.demo.item import Item
from app.demo.personas import Persona, personas
from app.demo.pictures import picture
from app.demo.trail import Batch, Event

__all__ = ["Batch", "Event", "Item", "Persona", "generate_catalogue", "generate_history", "personas", "picture"]
